"""DynamoDB's expressions: text, names and values in; plans over items out. Pure: no store, no call."""
