// What is refused reaches a program as the exceptions that the SDK has classes for.
import assert from "node:assert/strict";
import {
  CloudWatchLogsClient,
  GetLogEventsCommand,
  ResourceNotFoundException,
} from "@aws-sdk/client-cloudwatch-logs";
import { GetObjectCommand, HeadObjectCommand, NoSuchKey, NotFound, S3Client } from "@aws-sdk/client-s3";
import {
  CreateTrainingJobCommand,
  DescribeTrainingJobCommand,
  ResourceInUse,
  SageMakerClient,
  SageMakerServiceException,
  StopTrainingJobCommand,
  waitUntilTrainingJobCompletedOrStopped,
} from "@aws-sdk/client-sagemaker";

const [bucket, name] = process.argv.slice(2);
const sagemaker = new SageMakerClient({});
const s3 = new S3Client({});
const logs = new CloudWatchLogsClient({});

/** The error that a call is refused with. */
async function refused(client, command) {
  return client.send(command).then(
    () => assert.fail("the call was not refused"),
    (error) => error,
  );
}

const request = {
  TrainingJobName: name,
  RoleArn: "arn:aws:iam::123456789012:role/MyRole",
  AlgorithmSpecification: {
    TrainingImage: "busybox",
    TrainingInputMode: "File",
    ContainerEntrypoint: ["/bin/sh", "-c", "printf because > /opt/ml/output/failure; exit 3"],
  },
  OutputDataConfig: { S3OutputPath: `s3://${bucket}/out` },
  ResourceConfig: { InstanceType: "ml.m5.large", InstanceCount: 1, VolumeSizeInGB: 5 },
  StoppingCondition: { MaxRuntimeInSeconds: 300 },
};
await sagemaker.send(new CreateTrainingJobCommand(request));

const twice = await refused(sagemaker, new CreateTrainingJobCommand(request));
assert.ok(twice instanceof ResourceInUse, twice);
assert.equal(twice.$metadata.httpStatusCode, 400);
assert.ok(twice.$metadata.requestId);

const invalid = await refused(
  sagemaker,
  new CreateTrainingJobCommand({ ...request, TrainingJobName: "not_a_name" }),
);
assert.ok(invalid instanceof SageMakerServiceException, invalid);
assert.equal(invalid.name, "ValidationException");
assert.match(invalid.message, /at 'trainingJobName' failed to satisfy constraint/);

const missing = { TrainingJobName: `${name}-missing` };
for (const command of [DescribeTrainingJobCommand, StopTrainingJobCommand]) {
  const nowhere = await refused(sagemaker, new command(missing));
  assert.equal(nowhere.name, "ValidationException");
  assert.equal(nowhere.message, "Requested resource not found.");
}

const stranger = new SageMakerClient({
  credentials: { accessKeyId: "AKIAIOSFODNN7EXAMPLE", secretAccessKey: "secret" },
});
const unknown = await refused(stranger, new DescribeTrainingJobCommand(missing));
assert.equal(unknown.name, "UnrecognizedClientException");

const object = { Bucket: bucket, Key: `${name}/missing` };
assert.ok((await refused(s3, new GetObjectCommand(object))) instanceof NoSuchKey);
assert.ok((await refused(s3, new HeadObjectCommand(object))) instanceof NotFound);

const stream = { logGroupName: "/aws/sagemaker/TrainingJobs", logStreamName: `${name}-missing/algo-1` };
assert.ok((await refused(logs, new GetLogEventsCommand(stream))) instanceof ResourceNotFoundException);

// The waiter of a job that failed says so, and why.
const waiting = waitUntilTrainingJobCompletedOrStopped(
  { client: sagemaker, minDelay: 1, maxDelay: 1, maxWaitTime: 150 },
  { TrainingJobName: name },
);
const failure = await waiting.then(
  () => assert.fail("the waiter took a failure for success"),
  (error) => error,
);
assert.match(failure.message, /"state":"FAILURE"/);
const job = await sagemaker.send(new DescribeTrainingJobCommand({ TrainingJobName: name }));
assert.equal(job.FailureReason, "AlgorithmError: because, exit code: 3");
console.log("refused", failure.name);
