"""The tables of DynamoDB's operations and of its streams', and what each asks of IAM before it runs."""

from atoll.operation import Service

dynamodb = Service("dynamodb")
dynamodbstreams = Service("dynamodbstreams")
