// usage: node upload.mjs ENDPOINT KEY_ID SECRET BUCKET_KEY FILE
// Uploads FILE in four ways, one after the other, and prints what came back as JSON.
import { createReadStream, readFileSync } from "node:fs";
import {
    AbortMultipartUploadCommand, CompleteMultipartUploadCommand, CreateMultipartUploadCommand, HeadObjectCommand,
    ListObjectsV2Command, ListPartsCommand, PutObjectCommand, S3Client, UploadPartCommand,
} from "@aws-sdk/client-s3";
import { getSignedUrl } from "@aws-sdk/s3-request-presigner";

const [endpoint, accessKeyId, secretAccessKey, Key, file] = process.argv.slice(2);
const Bucket = "upload", PART = 5 * 1024 * 1024;
const s3 = new S3Client({ endpoint, region: "eu-central-1", forcePathStyle: true,
                          credentials: { accessKeyId, secretAccessKey } });
const body = readFileSync(file), told = {};

async function inParts(put, options) {
    const { UploadId } = await s3.send(new CreateMultipartUploadCommand({ Bucket, Key, ...options }));
    const numbers = [...Array(Math.ceil(body.length / PART)).keys()].map((i) => i + 1);
    const parts = await Promise.all(numbers.map(async (PartNumber) => ({
        PartNumber, ...await put({ Bucket, Key, UploadId, PartNumber }, body.subarray((PartNumber - 1) * PART, PartNumber * PART)),
    })));
    const listed = await s3.send(new ListPartsCommand({ Bucket, Key, UploadId }));
    const done = await s3.send(new CompleteMultipartUploadCommand({ Bucket, Key, UploadId, MultipartUpload: { Parts: parts } }));
    return { parts: listed.Parts.length, etag: done.ETag, checksum: done.ChecksumCRC32C };
}

// a checksum behind a stream, then one before a buffer
told.streamed = (await s3.send(new PutObjectCommand({
    Bucket, Key, Body: createReadStream(file), ContentLength: body.length, ChecksumAlgorithm: "CRC32C" }))).ETag;
told.put = (await s3.send(new PutObjectCommand({ Bucket, Key, Body: body }))).ETag;

// a URL, also one that was changed
const url = await getSignedUrl(s3, new PutObjectCommand({ Bucket, Key }), { expiresIn: 60 });
told.url = (await fetch(url, { method: "PUT", body })).status;
told.changed = (await fetch(url.replace("expiresIn", "").replace("X-Amz-Expires=60", "X-Amz-Expires=61"), { method: "PUT", body })).status;

told.parts = await inParts(async (where, part) => {
    const { ETag, ChecksumCRC32C } = await s3.send(new UploadPartCommand({ ...where, Body: part, ChecksumAlgorithm: "CRC32C" }));
    return { ETag, ChecksumCRC32C };
}, { ChecksumAlgorithm: "CRC32C" });
told.urls = await inParts(async (where, part) => {
    const answer = await fetch(await getSignedUrl(s3, new UploadPartCommand(where)), { method: "PUT", body: part });
    return { ETag: answer.headers.get("ETag") };
}, {});

const { UploadId } = await s3.send(new CreateMultipartUploadCommand({ Bucket, Key }));
await s3.send(new AbortMultipartUploadCommand({ Bucket, Key, UploadId }));
told.size = (await s3.send(new HeadObjectCommand({ Bucket, Key }))).ContentLength;
told.listed = (await s3.send(new ListObjectsV2Command({ Bucket }))).Contents.map((item) => item.Key);
console.log(JSON.stringify(told));
