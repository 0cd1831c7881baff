"""IAM. Operations by noun: users, groups, roles, policies, access keys. `authorise` judges every call. Rows: see `records`."""
