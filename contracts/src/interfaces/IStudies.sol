// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

/// @title Studies: research on anonymised data that an ethics board and every patient can stop
/// @notice A study is registered, approved by k named approvers, and lasts from one time to
/// another. Patients take part under tags, one for each study, which nobody can link. What is
/// released is recorded with the tags of all who are in it, and a withdrawn tag is in none after
/// that. docs/formats/studies.md
interface IStudies {
    /// What a study is; its id commits to all of it. Digests are of documents off the ledger.
    struct Registration {
        bytes32 protocol;
        bytes32 purpose;
        bytes32 terms; // of data use, which who opens a release accepts
        bytes32 area; // of research, for standing preferences
        bytes32 collector; // the organisation that counts patients
        uint64 begins;
        uint64 ends;
        uint8 threshold; // how many of the approvers
        bytes32[] approvers; // accounts, ascending
        uint256[] criteria; // elements of the field, each shown by a proof of its own
    }

    struct Study {
        bytes32 sponsor;
        bytes32 area;
        bytes32 collector;
        uint64 begins;
        uint64 ends;
        uint8 threshold;
        uint8 approvals;
        uint32 counted;
        uint32 releases;
    }

    /// members: the digest of their tags; until: when it must be deleted.
    struct Release {
        bytes32 manifest;
        bytes32 policy;
        bytes32 members;
        uint32 count;
        uint64 at;
        uint64 until;
    }

    /// That one criterion is met, under this root of the forest of facts.
    struct Met {
        uint256 root;
        uint256[8] proof;
    }

    event StudyRegistered(bytes32 indexed study, bytes32 indexed sponsor, bytes32 indexed area);
    event StudyApproved(bytes32 indexed study, bytes32 indexed approver, uint8 approvals);
    event ApprovalRetracted(bytes32 indexed study, bytes32 indexed approver, uint8 approvals);
    event OptedIn(bytes32 indexed group, bytes32 indexed tag);
    event Withdrawn(bytes32 indexed group, bytes32 indexed tag);
    event Counted(bytes32 indexed study, uint256 indexed nullifier, uint32 counted);
    event ReleaseRecorded(
        bytes32 indexed study,
        uint32 indexed number,
        bytes32 manifest,
        bytes32 policy,
        bytes32 members,
        uint32 count,
        uint64 until
    );

    /// @notice Register a study; its id is returned. Caller: an active Agent of a verified hospital
    /// or research organisation, which becomes the sponsor.
    function register(Registration calldata what) external returns (bytes32 study);
    /// @notice Approve a study, as one of its approvers, of another organisation than the sponsor.
    function approve(bytes32 study) external;
    /// @notice Take an approval back: with too few left, nothing is released or read any more.
    function retract(bytes32 study) external;

    /// @notice Put a tag among those who take part. Caller of this and the next: an active Agent of
    /// any organisation, so that no patient stands on the ledger. A tag alone opens nothing: the
    /// patient's consent does.
    function optIn(bytes32 study, bytes32 tag) external;
    /// @notice The same for every study of a sponsor in an area (a standing preference).
    function prefer(bytes32 sponsor, bytes32 area, bytes32 tag) external;
    /// @notice Withdraw a tag of a group for ever, also one never seen. Anybody may send it: who
    /// knows the secret is the patient, or was asked by them.
    function withdraw(bytes32 group, bytes32 secret) external;

    /// @notice Count a patient who meets all criteria, once. Caller: an active Agent of the study's
    /// collector, for which the proofs were made.
    function count(bytes32 study, uint256 nullifier, Met[] calldata proofs) external;
    /// @notice Record a release: only while approved, within the period, and with tags that take
    /// part and were not withdrawn, ascending. Caller: an active Agent of the sponsor.
    function recordRelease(
        bytes32 study,
        bytes32 manifest,
        bytes32 policy,
        uint64 until,
        bytes32[] calldata members
    ) external returns (uint32 number);

    /// @notice For consents (ICondition): whether a tag takes part in a study that is approved and
    /// within its period; of a preference, in any of its sponsor's newest studies of the area.
    function isOpen(bytes32 tag) external view returns (bool);
    /// @notice Whether a study is approved and within its period.
    function isRunning(bytes32 study) external view returns (bool);

    function study(bytes32 id) external view returns (Study memory);
    function criteriaOf(bytes32 study) external view returns (uint256[] memory);
    /// @notice Whether an account was named as an approver, and whether its approval stands.
    function approverOf(bytes32 study, bytes32 account)
        external
        view
        returns (bool named, bool approves);
    function release(bytes32 study, uint32 number) external view returns (Release memory);
    /// @notice What a tag takes part in (zero: nothing), and whether it was withdrawn.
    function tagOf(bytes32 tag) external view returns (bytes32 group, bool withdrawn);

    /// @notice The id of what is registered by a sponsor.
    function idOf(bytes32 sponsor, Registration calldata what) external view returns (bytes32);
    /// @notice The group of a standing preference.
    function groupOf(bytes32 sponsor, bytes32 area) external view returns (bytes32);
    /// @notice The tag that a secret makes in a group.
    function tagFor(bytes32 group, bytes32 secret) external view returns (bytes32);
    /// @notice What stands for a study of this contract on this chain in proofs.
    function scopeOf(bytes32 study) external view returns (uint256);
}
