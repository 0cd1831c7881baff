// The AWS SDK for JavaScript against the cloud in AWS_ENDPOINT_URL. `node suite.cjs NAME BUCKET` runs one check and fails loudly.
// The packages live outside this tree: ATOLL_NODE_PACKAGES names the directory that has their node_modules.
"use strict";

const assert = require("node:assert/strict");
const crypto = require("node:crypto");
const http = require("node:http");
const path = require("node:path");
const { Readable } = require("node:stream");
const { createRequire } = require("node:module");

const load = createRequire(path.join(process.env.ATOLL_NODE_PACKAGES, "package.json"));
const S3 = load("@aws-sdk/client-s3");
const { STSClient, GetCallerIdentityCommand } = load("@aws-sdk/client-sts");
const { Upload } = load("@aws-sdk/lib-storage");
const { getSignedUrl } = load("@aws-sdk/s3-request-presigner");

const Bucket = process.argv[3];
const client = new S3.S3Client({ forcePathStyle: true, maxAttempts: 1 });
const send = (Command, input) => client.send(new Command({ Bucket, ...input }));
const bytes = async (answer) => Buffer.from(await answer.Body.transformToByteArray());

function fetchPlain(url, method, body) {
  return new Promise((resolve, reject) => {
    const request = http.request(url, { method, headers: body ? { "content-length": body.length } : {} }, (answer) => {
      const pieces = [];
      answer.on("data", (piece) => pieces.push(piece));
      answer.on("end", () => resolve({ status: answer.statusCode, headers: answer.headers, body: Buffer.concat(pieces) }));
    });
    request.on("error", reject);
    request.end(body);
  });
}

const checks = {
  async round_trip() {
    for (const size of [0, 1, 20_000, 3_000_000]) {
      const Body = crypto.randomBytes(size);
      const Key = `k ü+%41//../${size}`;
      const put = await send(S3.PutObjectCommand, { Key, Body, Metadata: { a: "b" }, ContentType: "text/plain" });
      assert.equal(put.ETag, `"${crypto.createHash("md5").update(Body).digest("hex")}"`);
      const got = await send(S3.GetObjectCommand, { Key });
      assert.deepEqual(await bytes(got), Body);
      assert.deepEqual([got.Metadata, got.ContentType, got.ContentLength], [{ a: "b" }, "text/plain", size]);
      assert.ok(got.LastModified instanceof Date);
    }
  },

  async stream_with_trailing_checksum() {
    const data = crypto.randomBytes(1_500_000);
    const pieces = [];
    for (let at = 0; at < data.length; at += 100_000) pieces.push(data.subarray(at, at + 100_000));
    for (const ChecksumAlgorithm of ["CRC32", "CRC32C", "SHA1", "SHA256"]) {
      const Body = Readable.from(pieces);
      const put = await send(S3.PutObjectCommand, { Key: "s", Body, ContentLength: data.length, ChecksumAlgorithm });
      assert.ok(put[`Checksum${ChecksumAlgorithm}`], ChecksumAlgorithm);
      const got = await send(S3.GetObjectCommand, { Key: "s", ChecksumMode: "ENABLED" });
      assert.equal(got[`Checksum${ChecksumAlgorithm}`], put[`Checksum${ChecksumAlgorithm}`]);
      assert.deepEqual(await bytes(got), data);
    }
  },

  async upload_in_parts() {
    const data = crypto.randomBytes(17_000_000);
    const upload = new Upload({ client, params: { Bucket, Key: "m", Body: Readable.from([data]) }, partSize: 5 * 1024 * 1024 });
    const done = await upload.done();
    assert.match(done.ETag, /-4"$/);
    assert.deepEqual(await bytes(await send(S3.GetObjectCommand, { Key: "m" })), data);
  },

  async listing() {
    const names = ["a/1", "a/2", "b", "c&<>\"' ü", "d\u0001e"];
    for (const Key of names) await send(S3.PutObjectCommand, { Key, Body: "x" });
    const plain = [];
    for await (const page of S3.paginateListObjectsV2({ client, pageSize: 2 }, { Bucket, EncodingType: "url" })) {
      plain.push(...(page.Contents ?? []).map((entry) => decodeURIComponent(entry.Key.replaceAll("+", "%20"))));
    }
    assert.deepEqual(plain, names);
    const grouped = await send(S3.ListObjectsV2Command, { Delimiter: "/", Prefix: "", EncodingType: "url" });
    assert.deepEqual(grouped.CommonPrefixes, [{ Prefix: "a/" }]);
    assert.equal(grouped.KeyCount, 4);
    assert.equal(grouped.IsTruncated, false);
  },

  async bulk_delete() {
    const names = ["x", "y & z", "ü"];
    for (const Key of names) await send(S3.PutObjectCommand, { Key, Body: "x" });
    const answer = await send(S3.DeleteObjectsCommand, { Delete: { Objects: names.map((Key) => ({ Key })) } });
    assert.deepEqual(answer.Deleted.map((entry) => entry.Key).sort(), [...names].sort());
    assert.equal((await send(S3.ListObjectsV2Command, {})).KeyCount, 0);
  },

  async errors_are_typed() {
    await assert.rejects(send(S3.GetObjectCommand, { Key: "missing" }), (error) => {
      assert.ok(error instanceof S3.NoSuchKey);
      assert.equal(error.$metadata.httpStatusCode, 404);
      assert.ok(error.$metadata.requestId);
      return true;
    });
    await assert.rejects(send(S3.HeadObjectCommand, { Key: "missing" }), (error) => error instanceof S3.NotFound);
    await assert.rejects(client.send(new S3.ListObjectsV2Command({ Bucket: `${Bucket}-no` })), (error) => {
      assert.ok(error instanceof S3.NoSuchBucket);
      return true;
    });
    await send(S3.PutObjectCommand, { Key: "once", Body: "x", IfNoneMatch: "*" });
    await assert.rejects(send(S3.PutObjectCommand, { Key: "once", Body: "y", IfNoneMatch: "*" }), { name: "PreconditionFailed" });
  },

  async versions_and_copies() {
    await send(S3.PutBucketVersioningCommand, { VersioningConfiguration: { Status: "Enabled" } });
    const first = await send(S3.PutObjectCommand, { Key: "v", Body: "1" });
    await send(S3.PutObjectCommand, { Key: "v", Body: "2" });
    const CopySource = `${Bucket}/v?versionId=${first.VersionId}`;
    const copied = await send(S3.CopyObjectCommand, { Key: "w", CopySource });
    assert.equal(copied.CopySourceVersionId, first.VersionId);
    assert.equal(await (await send(S3.GetObjectCommand, { Key: "w" })).Body.transformToString(), "1");
    const listed = await send(S3.ListObjectVersionsCommand, { Prefix: "v" });
    assert.deepEqual(listed.Versions.map((version) => version.IsLatest), [true, false]);
  },

  async presigned() {
    const put = await getSignedUrl(client, new S3.PutObjectCommand({ Bucket, Key: "p q" }), { expiresIn: 60 });
    assert.equal((await fetchPlain(put, "PUT", Buffer.from("data"))).status, 200);
    const get = await getSignedUrl(client, new S3.GetObjectCommand({ Bucket, Key: "p q" }), { expiresIn: 60 });
    const got = await fetchPlain(get, "GET");
    assert.deepEqual([got.status, got.body.toString()], [200, "data"]);
    assert.equal((await fetchPlain(get.replace("p%20q", "p%20r"), "GET")).status, 403);
  },

  async presigned_headers() {
    // The presigner moves every x-amz-* header into the URL, so that its holder need not send any.
    const put = async (input, body) => {
      const command = new S3.PutObjectCommand({ Bucket, Key: "h", ...input });
      return fetchPlain(await getSignedUrl(client, command, { expiresIn: 60 }), "PUT", Buffer.from(body));
    };
    const asked = { Metadata: { colour: "sea green", "a-b": "ü+&" }, Tagging: "a=1&b=x%20y", ContentType: "text/plain" };
    assert.equal((await put({ ...asked, ACL: "bucket-owner-full-control" }, "data")).status, 200);
    const got = await send(S3.GetObjectCommand, { Key: "h" });
    assert.equal(await got.Body.transformToString(), "data");
    assert.equal(got.Metadata.colour, "sea green");
    assert.equal(got.TagCount, 2);
    const { TagSet } = await send(S3.GetObjectTaggingCommand, { Key: "h" });
    assert.deepEqual(TagSet, [{ Key: "a", Value: "1" }, { Key: "b", Value: "x y" }]);

    assert.equal((await put({ ACL: "public-read" }, "data")).status, 400);
    assert.equal((await put({ StorageClass: "NO_SUCH" }, "data")).status, 400);

    const ChecksumSHA256 = crypto.createHash("sha256").update("right").digest("base64");
    assert.equal((await put({ ChecksumSHA256 }, "right")).status, 200);
    const refused = await put({ ChecksumSHA256 }, "wrong");
    assert.deepEqual([refused.status, refused.body.includes("BadDigest")], [400, true]);
    const copy = new S3.CopyObjectCommand({ Bucket, Key: "copy", CopySource: `${Bucket}/h` });
    assert.equal((await fetchPlain(await getSignedUrl(client, copy), "PUT")).status, 200);
    assert.equal(await (await send(S3.GetObjectCommand, { Key: "copy" })).Body.transformToString(), "right");
    const sum = new S3.HeadObjectCommand({ Bucket, Key: "copy", ChecksumMode: "ENABLED" });
    const head = await fetchPlain(await getSignedUrl(client, sum), "HEAD");
    assert.equal(head.headers["x-amz-checksum-sha256"], ChecksumSHA256);
  },

  async identity() {
    const who = await new STSClient({ maxAttempts: 1 }).send(new GetCallerIdentityCommand({}));
    assert.match(who.Account, /^\d{12}$/);
    assert.ok(who.Arn.startsWith("arn:aws:"));
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
