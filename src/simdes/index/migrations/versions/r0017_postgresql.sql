CREATE INDEX ix_vault_state_created_ms ON vault (state, created_ms);
