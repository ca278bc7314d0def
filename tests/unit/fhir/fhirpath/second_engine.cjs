// fhirpath.js with its R4 model as second opinion: JSON lines in, JSON lines out.
//
// Each line is {"expression", "base" ("" or the path of a part), "node", "resource"}; the answer is
// the list of results as JSON, or {"error": "..."}. References resolve to an empty resource of the
// type they name; as the engine gives what a function of ours returns no type, `resolve() is Patient`
// is asked as `resourceType`.
"use strict";
const fhirpath = require("fhirpath");
const model = require("fhirpath/fhir-context/r4");
const lines = require("readline").createInterface({ input: process.stdin });

function named(item) {
  const literal = typeof item === "object" ? item.reference : item;
  const match = /^(?:.*\/)?([A-Z][A-Za-z]+)\/[A-Za-z0-9\-.]+$/.exec(literal || "");
  return match ? [{ resourceType: match[1], id: "x" }] : [];
}

const options = {
  userInvocationTable: { resolve: { fn: (items) => items.flatMap(named), arity: { 0: [] } } },
  traceFn: () => {},
};
const compiled = new Map();

function evaluate({ expression, base, node, resource }) {
  const key = base + "\n" + expression;
  if (!compiled.has(key)) {
    expression = expression.replace(
      /resolve\(\) is (\w+)/g,
      "resolve().where(resourceType = '$1').exists()",
    );
    const path = base ? { base, expression } : expression;
    compiled.set(key, fhirpath.compile(path, model, options));
  }
  return compiled.get(key)(node, { resource, rootResource: resource, context: node });
}

lines.on("line", (line) => {
  let answer;
  try {
    answer = evaluate(JSON.parse(line));
  } catch (error) {
    answer = { error: String(error.message || error) };
  }
  process.stdout.write(JSON.stringify(answer) + "\n");
});
