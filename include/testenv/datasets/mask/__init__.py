"""The masking kernel: Arrow in, Arrow out. See docs/masking.md.

`compile_policy` (mask/policy.py) makes a policy of the contracts; `mask_batches`, `mask_parquet` and the Spark job
(mask/spark.py) apply it under a key of `mask/keys.py`.
"""
