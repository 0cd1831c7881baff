"""DynamoDB: tables of items, exact, durable and serialisable.

docs/design/0002-dynamodb.md draws the whole, and says at its end which file holds what.
"""
