"""PartiQL as DynamoDB speaks it: statements are read into trees, and trees planned onto the code that Query and PutItem run on."""
