// Makes several jobs, stops one, and finds them again: in lists and searches page by page,
// and by their tags.
import assert from "node:assert/strict";
import {
  AddTagsCommand,
  CreateTrainingJobCommand,
  DeleteTagsCommand,
  SageMakerClient,
  StopTrainingJobCommand,
  paginateListTags,
  paginateListTrainingJobs,
  paginateSearch,
  waitUntilTrainingJobCompletedOrStopped,
} from "@aws-sdk/client-sagemaker";

const [bucket, stem] = process.argv.slice(2);
const client = new SageMakerClient({});

/** Creates a job that runs this command, and returns its ARN. */
async function create(name, ...command) {
  const created = await client.send(
    new CreateTrainingJobCommand({
      TrainingJobName: name,
      RoleArn: "arn:aws:iam::123456789012:role/MyRole",
      AlgorithmSpecification: {
        TrainingImage: "busybox",
        TrainingInputMode: "File",
        ContainerEntrypoint: command,
      },
      HyperParameters: { depth: name.slice(-1) },
      OutputDataConfig: { S3OutputPath: `s3://${bucket}/out` },
      ResourceConfig: { InstanceType: "ml.m5.large", InstanceCount: 1, VolumeSizeInGB: 5 },
      StoppingCondition: { MaxRuntimeInSeconds: 300 },
      Tags: [{ Key: "stem", Value: stem }],
    }),
  );
  return created.TrainingJobArn;
}

/** Waits until the job has ended. */
async function end(name) {
  const patience = { client, minDelay: 1, maxDelay: 1, maxWaitTime: 150 };
  await waitUntilTrainingJobCompletedOrStopped(patience, { TrainingJobName: name });
}

/** All items of all pages. */
async function all(pages, items) {
  const found = [];
  for await (const page of pages) {
    found.push(...items(page));
  }
  return found;
}

const arns = [];
for (const number of [1, 2, 3]) {
  arns.push(await create(`${stem}-${number}`, "true"));
}
await create(`${stem}-4`, "sleep", "1000");
await client.send(new StopTrainingJobCommand({ TrainingJobName: `${stem}-4` }));
for (const number of [1, 2, 3, 4]) {
  await end(`${stem}-${number}`);
}

const listed = await all(
  paginateListTrainingJobs(
    { client, pageSize: 2 },
    { NameContains: stem, SortBy: "Name", SortOrder: "Descending" },
  ),
  (page) => page.TrainingJobSummaries.map((job) => [job.TrainingJobName, job.TrainingJobStatus]),
);
assert.deepEqual(listed, [
  [`${stem}-4`, "Stopped"],
  [`${stem}-3`, "Completed"],
  [`${stem}-2`, "Completed"],
  [`${stem}-1`, "Completed"],
]);

const searched = await all(
  paginateSearch(
    { client, pageSize: 1 },
    {
      Resource: "TrainingJob",
      SearchExpression: {
        Filters: [
          { Name: "Tags.stem", Operator: "Equals", Value: stem },
          { Name: "HyperParameters.depth", Operator: "GreaterThan", Value: "1" },
        ],
      },
      SortBy: "CreationTime",
      SortOrder: "Ascending",
    },
  ),
  (page) => page.Results.map((found) => found.TrainingJob.TrainingJobName),
);
assert.deepEqual(searched, [2, 3, 4].map((number) => `${stem}-${number}`));

const more = ["a", "b", "c"].map((key) => ({ Key: key, Value: key.toUpperCase() }));
await client.send(new AddTagsCommand({ ResourceArn: arns[0], Tags: more }));
await client.send(new DeleteTagsCommand({ ResourceArn: arns[0], TagKeys: ["b"] }));
const tags = await all(
  paginateListTags({ client }, { ResourceArn: arns[0] }),
  (page) => page.Tags.map((tag) => `${tag.Key}=${tag.Value}`),
);
assert.deepEqual(tags.sort(), ["a=A", "c=C", `stem=${stem}`]);
console.log("organised", listed.length);
