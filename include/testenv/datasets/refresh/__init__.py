"""From production to a dataset version: `stages.py` has the stages in their order, docs/refresh.md the whole.

snapshot.py   what production holds, as Arrow batches, one consistent look
selection.py  which rows each tier takes
stored.py     masks each store's rows in their own form, and writes a tier's files
synthetic.py  profiles production, and makes the files of tiers whose rows are of nobody
stages.py     check → prepare → synthesize → load → publish
retention.py  retire
scratch.py    where files lie until they are in S3
"""
