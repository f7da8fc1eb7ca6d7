// Trains on an object, follows the job to its end, and reads what it made: its log page
// by page, its final metrics, and its model through a URL that anyone may open.
import assert from "node:assert/strict";
import { gunzipSync } from "node:zlib";
import { CloudWatchLogsClient, paginateFilterLogEvents } from "@aws-sdk/client-cloudwatch-logs";
import { GetObjectCommand, PutObjectCommand, S3Client } from "@aws-sdk/client-s3";
import {
  CreateTrainingJobCommand,
  DescribeTrainingJobCommand,
  SageMakerClient,
  waitUntilTrainingJobCompletedOrStopped,
} from "@aws-sdk/client-sagemaker";
import { getSignedUrl } from "@aws-sdk/s3-request-presigner";

const [bucket, name] = process.argv.slice(2);
const sagemaker = new SageMakerClient({});
const s3 = new S3Client({});
const logs = new CloudWatchLogsClient({});

const script = `
for step in 1 2 3 4 5; do echo "step $step"; done
echo "lines=$(wc -l < /opt/ml/input/data/train/table.csv);"
cp /opt/ml/input/data/train/table.csv /opt/ml/model/`;

await s3.send(new PutObjectCommand({ Bucket: bucket, Key: `${name}/table.csv`, Body: "1,2\n3,4\n" }));
const created = await sagemaker.send(
  new CreateTrainingJobCommand({
    TrainingJobName: name,
    RoleArn: "arn:aws:iam::123456789012:role/MyRole",
    AlgorithmSpecification: {
      TrainingImage: "busybox",
      TrainingInputMode: "File",
      ContainerEntrypoint: ["/bin/sh", "-c", 'eval "$SCRIPT"'],
      MetricDefinitions: [{ Name: "lines", Regex: "lines=([0-9]+);" }],
    },
    Environment: { SCRIPT: script },
    InputDataConfig: [
      {
        ChannelName: "train",
        DataSource: {
          S3DataSource: { S3DataType: "S3Prefix", S3Uri: `s3://${bucket}/${name}/` },
        },
      },
    ],
    OutputDataConfig: { S3OutputPath: `s3://${bucket}/out` },
    ResourceConfig: { InstanceType: "ml.m5.large", InstanceCount: 1, VolumeSizeInGB: 5 },
    StoppingCondition: { MaxRuntimeInSeconds: 300 },
  }),
);

const waited = await waitUntilTrainingJobCompletedOrStopped(
  { client: sagemaker, minDelay: 1, maxDelay: 1, maxWaitTime: 150 },
  { TrainingJobName: name },
);
assert.equal(waited.state, "SUCCESS");

const job = await sagemaker.send(new DescribeTrainingJobCommand({ TrainingJobName: name }));
assert.equal(job.TrainingJobStatus, "Completed", job.FailureReason);
assert.equal(job.TrainingJobArn, created.TrainingJobArn);
assert.ok(job.TrainingEndTime >= job.TrainingStartTime);
assert.ok(job.TrainingStartTime >= job.CreationTime);
assert.deepEqual(
  job.FinalMetricDataList.map((metric) => [metric.MetricName, metric.Value]),
  [["lines", 2]],
);

const printed = [];
const events = paginateFilterLogEvents(
  { client: logs, pageSize: 2 },
  { logGroupName: "/aws/sagemaker/TrainingJobs", logStreamNamePrefix: `${name}/` },
);
for await (const page of events) {
  printed.push(...page.events.map((event) => event.message));
}
assert.deepEqual(printed, [1, 2, 3, 4, 5].map((step) => `step ${step}`).concat("lines=2;"));

const [, modelBucket, modelKey] = job.ModelArtifacts.S3ModelArtifacts.match(/^s3:\/\/([^/]+)\/(.+)$/);
const model = new GetObjectCommand({ Bucket: modelBucket, Key: modelKey });
const answer = await fetch(await getSignedUrl(s3, model, { expiresIn: 300 }));
assert.equal(answer.status, 200);
const archive = gunzipSync(Buffer.from(await answer.arrayBuffer())).toString("latin1");
assert.ok(archive.includes("table.csv") && archive.includes("1,2\n3,4\n"));

const direct = await s3.send(model);
const body = gunzipSync(Buffer.from(await direct.Body.transformToByteArray()));
assert.equal(body.toString("latin1"), archive);
console.log("trained", job.TrainingJobStatus);
