"""S3. Operations by noun: buckets, objects, listing, versions, multipart, copies, tagging. Rows: see `records`."""
