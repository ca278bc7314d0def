// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

/// @title Vocabulary
/// @notice The closed tables of numbers that the contracts and every gateway share.
library Vocabulary {
    /// States of organisations and accounts; 0 is "none".
    uint8 internal constant PENDING = 1;
    uint8 internal constant VERIFIED = 2;
    uint8 internal constant SUSPENDED = 3;

    /// Kinds of organisations run from 1 (hospital) to 4 (research).
    uint8 internal constant HOSPITAL = 1;
    uint8 internal constant PHARMACY = 2;
    uint8 internal constant RESEARCH = 4;
    uint8 internal constant INSURER = 3;
    uint8 internal constant LAST_KIND = 4;

    /// Roles of accounts run from 1 to 8; only those that a contract asks for are named.
    uint8 internal constant PATIENT = 1;
    uint8 internal constant DOCTOR = 2;
    uint8 internal constant NURSE = 3;
    uint8 internal constant ADMINISTRATOR = 7;
    uint8 internal constant AGENT = 8;
    uint8 internal constant LAST_ROLE = 8;

    /// Purposes of use (HL7 v3 PurposeOfUse) run from 0 (TREAT) to 5.
    uint8 internal constant ETREAT = 4;
    uint8 internal constant PATRQT = 5;
    uint8 internal constant LAST_PURPOSE = 5;

    /// Categories are bits of a uint64.
    uint8 internal constant LAST_CATEGORY = 63;

    /// What an emergency opens: demographics, conditions, observations, medications, allergies,
    /// immunizations (bits 0, 2, 3, 4, 5, 6), and of these only what carries no label.
    uint64 internal constant EMERGENCY_CATEGORIES = 0x7D;

    /// Kinds of statements run from 1 to 3 (encounters, for claims).
    uint8 internal constant STATEMENT_PRESCRIPTION = 1;
    uint8 internal constant STATEMENT_FACT = 2;
    uint8 internal constant STATEMENT_ENCOUNTER = 3;
    uint8 internal constant LAST_STATEMENT = 3;

    /// A whole, in parts.
    uint16 internal constant PARTS = 10_000;

    /// AccessManager roles. 0 is its own admin role, held by the timelock.
    uint64 internal constant GOVERNANCE_ROLE = 1;
    uint64 internal constant ALARM_ROLE = 2;
}
