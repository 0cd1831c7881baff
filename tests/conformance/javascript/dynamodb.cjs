// The AWS SDK for JavaScript's DynamoDB clients against the cloud in AWS_ENDPOINT_URL. `node dynamodb.cjs NAME TABLE` runs one check
// on a table with partition key p (S) and sort key c (N), whose stream holds new and old images.
"use strict";

const assert = require("node:assert/strict");
const path = require("node:path");
const { createRequire } = require("node:module");

const load = createRequire(path.join(process.env.ATOLL_NODE_PACKAGES, "package.json"));
const D = load("@aws-sdk/client-dynamodb");
const S = load("@aws-sdk/client-dynamodb-streams");
const L = load("@aws-sdk/lib-dynamodb");

const TableName = process.argv[3];
const client = new D.DynamoDBClient({ maxAttempts: 1 });
const documents = L.DynamoDBDocumentClient.from(client, { marshallOptions: { removeUndefinedValues: true } });
const send = (Command, input) => documents.send(new Command({ TableName, ...input }));

const checks = {
  async every_type_comes_back() {
    const item = {
      p: "types", c: 1, text: "ü\u0000🐚", big: 12345678901n, yes: true, none: null, bytes: new Uint8Array([0, 255, 7]),
      list: [1, "two", [3.25, { four: -4e-7 }]], map: { "a.b": {} }, words: new Set(["x", "y"]), numbers: new Set([1, 2.5]),
    };
    await send(L.PutCommand, { Item: item });
    const { Item } = await send(L.GetCommand, { Key: { p: "types", c: 1 }, ConsistentRead: true });
    assert.deepEqual(Item, { ...item, big: 12345678901 });
  },

  async conditions_and_counters() {
    const Key = { p: "counter", c: 0 };
    for (let n = 1; n <= 3; n++) {
      const { Attributes } = await send(L.UpdateCommand, {
        Key, UpdateExpression: "ADD #n :one", ExpressionAttributeNames: { "#n": "count" }, ExpressionAttributeValues: { ":one": 1 },
        ReturnValues: "UPDATED_NEW",
      });
      assert.deepEqual(Attributes, { count: n });
    }
    const refused = send(L.PutCommand, {
      Item: Key, ConditionExpression: "attribute_not_exists(p)", ReturnValuesOnConditionCheckFailure: "ALL_OLD",
    });
    await assert.rejects(refused, (error) => {
      assert.ok(error instanceof D.ConditionalCheckFailedException);
      assert.equal(error.Item.count.N ?? error.Item.count, "3");
      return error.$metadata.httpStatusCode === 400;
    });
  },

  async pages_of_a_query() {
    const requests = Array.from({ length: 25 }, (_, c) => ({ PutRequest: { Item: { p: "pages", c, even: c % 2 === 0 } } }));
    const { UnprocessedItems } = await documents.send(new L.BatchWriteCommand({ RequestItems: { [TableName]: requests } }));
    assert.deepEqual(UnprocessedItems, {});
    const input = {
      TableName, KeyConditionExpression: "p = :p AND c >= :c", FilterExpression: "even = :yes", ScanIndexForward: false,
      ExpressionAttributeValues: { ":p": "pages", ":c": 5, ":yes": true }, Limit: 4,
    };
    const found = [];
    for await (const page of L.paginateQuery({ client: documents }, input)) found.push(...page.Items.map((item) => item.c));
    assert.deepEqual(found, [24, 22, 20, 18, 16, 14, 12, 10, 8, 6]);
  },

  async transactions_tell_why() {
    await send(L.PutCommand, { Item: { p: "here", c: 1 } });
    const one = (p) => ({ Put: { TableName, Item: { p, c: 1 }, ConditionExpression: "attribute_not_exists(p)" } });
    await assert.rejects(documents.send(new L.TransactWriteCommand({ TransactItems: [one("new"), one("here")] })), (error) => {
      assert.ok(error instanceof D.TransactionCanceledException);
      assert.deepEqual(error.CancellationReasons.map((reason) => reason.Code), ["None", "ConditionalCheckFailed"]);
      return true;
    });
    const gets = [{ Get: { TableName, Key: { p: "new", c: 1 } } }, { Get: { TableName, Key: { p: "here", c: 1 } } }];
    const { Responses } = await documents.send(new L.TransactGetCommand({ TransactItems: gets }));
    assert.deepEqual(Responses, [{}, { Item: { p: "here", c: 1 } }]);
  },

  async partiql() {
    await client.send(new D.ExecuteStatementCommand({ Statement: `INSERT INTO "${TableName}" VALUE {'p': 'sql', 'c': 7, 'v': [1, 'a']}` }));
    const Statement = `SELECT v FROM "${TableName}" WHERE p = ? AND c = ?`;
    const { Items } = await client.send(new D.ExecuteStatementCommand({ Statement, Parameters: [{ S: "sql" }, { N: "7" }] }));
    assert.deepEqual(Items, [{ v: { L: [{ N: "1" }, { S: "a" }] } }]);
  },

  async stream_of_changes() {
    const streams = new S.DynamoDBStreamsClient({ maxAttempts: 1 });
    const { Table } = await client.send(new D.DescribeTableCommand({ TableName }));
    const Key = { p: "stream", c: 1 };
    await send(L.PutCommand, { Item: { ...Key, v: 1 } });
    await send(L.PutCommand, { Item: { ...Key, v: 2 } });
    await send(L.DeleteCommand, { Key });
    const { StreamDescription } = await streams.send(new S.DescribeStreamCommand({ StreamArn: Table.LatestStreamArn }));
    const seen = [];
    for (const { ShardId } of StreamDescription.Shards) {
      const input = { StreamArn: Table.LatestStreamArn, ShardId, ShardIteratorType: "TRIM_HORIZON" };
      const { ShardIterator } = await streams.send(new S.GetShardIteratorCommand(input));
      const { Records } = await streams.send(new S.GetRecordsCommand({ ShardIterator }));
      for (const { eventName, dynamodb } of Records) {
        assert.ok(dynamodb.ApproximateCreationDateTime instanceof Date);
        if (dynamodb.Keys.p.S === "stream") seen.push([eventName, dynamodb.OldImage?.v.N, dynamodb.NewImage?.v.N]);
      }
    }
    assert.deepEqual(seen, [["INSERT", undefined, "1"], ["MODIFY", "1", "2"], ["REMOVE", "2", undefined]]);
  },

  async errors_are_typed() {
    await assert.rejects(send(L.GetCommand, { TableName: "no-such-table", Key: { p: "a", c: 1 } }), D.ResourceNotFoundException);
    await assert.rejects(send(L.GetCommand, { Key: { p: "a" } }), (error) => {
      assert.deepEqual([error.name, error.message], ["ValidationException", "The provided key element does not match the schema"]);
      return error.$metadata.requestId.length > 10;
    });
  },
};

const name = process.argv[2];
if (name === "--names") {
  console.log(Object.keys(checks).join("\n"));
} else {
  checks[name]().catch((error) => {
    console.error(error);
    process.exit(1);
  });
}
