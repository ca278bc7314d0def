// fhir-kit-client, unmodified (https://github.com/Vermonster/fhir-kit-client), does every
// interaction that it has once: `node fhir_kit.mjs BASE TOKEN NUMBER`. Exits 0 where all is well.
import assert from "node:assert/strict";
import { Client } from "fhir-kit-client";

const [baseUrl, bearerToken, number] = process.argv.slice(2);
const client = new Client({ baseUrl, bearerToken });
const system = "urn:oid:1.2.36.146";

const patientOf = (value) => ({
  resourceType: "Patient",
  identifier: [{ system, value }],
  name: [{ family: `Kit-${number}`, given: ["Anna"] }],
  birthDate: "1980-02-03",
});
const pulseOf = (subject, value) => ({
  resourceType: "Observation",
  status: "final",
  code: { coding: [{ system: "http://loinc.org", code: "8867-4" }] },
  subject: { reference: subject },
  effectiveDateTime: "2024-01-02T08:00:00Z",
  valueQuantity: { value, unit: "/min", system: "http://unitsofmeasure.org", code: "/min" },
});
const status = (answer) => Client.httpFor(answer).response.status;
const matches = (bundle) => (bundle.entry ?? []).filter((one) => one.search?.mode === "match");

// What the server is and how to sign in to it.
const statement = await client.capabilityStatement();
assert.equal(statement.fhirVersion, "4.0.1");
const smart = await client.smartAuthMetadata();
assert.match(smart.authorizeUrl.href, /\/auth\/authorize$/);
assert.match(smart.tokenUrl.href, /\/auth\/token$/);

// One resource: made, read, changed, patched, deleted; versions stay.
const made = await client.create({ resourceType: "Patient", body: patientOf(number) });
const patient = { resourceType: "Patient", id: made.id };
assert.equal(status(made), 201);
assert.deepEqual(await client.read(patient), { ...made });
const changed = await client.update({ ...patient, body: { ...made, gender: "female" } });
assert.equal(changed.meta.versionId, "2");
const first = await client.vread({ ...patient, version: "1" });
assert.equal(first.gender, undefined);
const patched = await client.patch({
  ...patient,
  jsonPatch: [
    { op: "test", path: "/gender", value: "female" },
    { op: "replace", path: "/gender", value: "other" },
  ],
});
assert.equal(patched.gender, "other");
const conditional = await client.update({
  resourceType: "Patient",
  searchParams: { identifier: `${system}|${number}` },
  body: patientOf(number),
});
assert.deepEqual([conditional.id, conditional.meta.versionId], [made.id, "4"]);
const put = await client.update({
  resourceType: "Patient",
  id: `own-${number}`,
  body: { ...patientOf(`${number}-own`), id: `own-${number}` },
});
assert.equal(status(put), 201);
const again = await client.create({
  resourceType: "Patient",
  body: patientOf(number),
  options: { headers: { "If-None-Exist": `identifier=${system}|${number}` } },
});
assert.deepEqual([status(again), again.id], [200, made.id]);
const kept = await client.read({ ...patient, options: { headers: { Prefer: "return=minimal" } } });
assert.equal(kept.id, made.id);

// Searches, their pages, compartments, histories.
const subject = `Patient/${made.id}`;
for (const value of [60, 61, 62, 63, 64]) {
  await client.create({ resourceType: "Observation", body: pulseOf(subject, value) });
}
const search = { patient: subject, _count: "2", _sort: "_id", _total: "accurate" };
let page = await client.search({ resourceType: "Observation", searchParams: search });
assert.equal(page.total, 5);
const seen = [];
const pages = [];
while (page) {
  pages.push(page);
  seen.push(...matches(page).map((one) => one.resource.id));
  page = await client.nextPage({ bundle: page });
}
assert.equal(new Set(seen).size, 5);
assert.deepEqual(pages.map((one) => matches(one).length), [2, 2, 1]);
const posted = await client.resourceSearch({
  resourceType: "Observation",
  searchParams: search,
  options: { postSearch: true },
});
assert.equal(posted.total, 5);
const everywhere = await client.systemSearch({
  searchParams: { _type: "Patient,Observation", _id: made.id },
});
assert.deepEqual(matches(everywhere).map((one) => one.resource.id), [made.id]);
const inside = await client.compartmentSearch({
  resourceType: "Observation",
  compartment: patient,
  searchParams: { code: "http://loinc.org|8867-4" },
});
assert.equal(matches(inside).length, 5);
const included = await client.search({
  resourceType: "Observation",
  searchParams: { patient: subject, _include: "Observation:subject" },
});
assert.equal(included.entry.filter((one) => one.search.mode === "include").length, 1);
const history = await client.resourceHistory(patient);
assert.deepEqual(history.entry.map((one) => one.resource.meta.versionId), ["4", "3", "2", "1"]);
assert.equal((await client.typeHistory({ resourceType: "Patient" })).type, "history");
assert.equal((await client.systemHistory()).type, "history");

// References: of this server, relative, in the Bundle, contained.
const [pulse] = matches(included).map((one) => one.resource);
for (const reference of [subject, `${baseUrl}/${subject}`]) {
  assert.equal((await client.resolve({ reference })).id, made.id);
}
assert.equal((await client.resolve({ reference: subject, context: included })).id, made.id);
const containing = { ...pulse, contained: [{ resourceType: "Patient", id: "p" }] };
assert.equal((await client.resolve({ reference: "#p", context: containing })).id, "p");

// Bundles.
const batch = await client.batch({
  body: {
    resourceType: "Bundle",
    type: "batch",
    entry: [
      { request: { method: "GET", url: subject } },
      { request: { method: "GET", url: "Patient/nobody-here" } },
    ],
  },
});
assert.deepEqual(batch.entry.map((one) => one.response.status.slice(0, 3)), ["200", "404"]);
const url = "urn:uuid:2f0f5a3e-6a0f-4d0c-9a54-7c2f3b0d3b11";
const transaction = await client.transaction({
  body: {
    resourceType: "Bundle",
    type: "transaction",
    entry: [
      {
        fullUrl: url,
        resource: patientOf(`${number}-t`),
        request: { method: "POST", url: "Patient" },
      },
      { resource: pulseOf(url, 71), request: { method: "POST", url: "Observation" } },
      {
        resource: {
          resourceType: "Binary",
          contentType: "application/json-patch+json",
          data: btoa(JSON.stringify([{ op: "add", path: "/gender", value: "male" }])),
        },
        request: { method: "PATCH", url: `Patient/own-${number}` },
      },
    ],
  },
}).catch((error) => error);
assert.deepEqual(
  transaction.entry?.map((one) => one.response.status.slice(0, 3)),
  ["201", "201", "200"],
  JSON.stringify(transaction.response?.data),
);

// Operations.
const everything = await client.operation({ ...patient, name: "$everything", method: "GET" });
assert.equal(everything.type, "searchset");
assert.ok(everything.entry.length >= 6);

// Refusals say what is wrong.
await assert.rejects(
  client.create({ resourceType: "Patient", body: { ...patientOf("x"), birthDate: "never" } }),
  (error) => error.response.status >= 400 && error.response.data.resourceType === "OperationOutcome",
);
await assert.rejects(
  new Client({ baseUrl }).read(patient),
  (error) => error.response.status === 401,
);

// Gone is gone, and its history stays.
assert.equal(status(await client.delete({ resourceType: "Observation", id: pulse.id })), 204);
await assert.rejects(
  client.read({ resourceType: "Observation", id: pulse.id }),
  (error) => error.response.status === 410,
);
const old = await client.vread({ resourceType: "Observation", id: pulse.id, version: "1" });
assert.equal(old.id, pulse.id);
