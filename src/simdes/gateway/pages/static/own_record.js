// Opens a sealed copy of a record here and shows it. Nothing of it leaves the page: its policy lets
// it reach nobody but the gateway it came from, and it sends nothing there. What a record holds is
// text; it becomes no markup and no address.
"use strict";

(() => {
  const part = document.querySelector("[data-own-open]");
  if (!part || !ownCopy.possible()) return;
  const words = JSON.parse(part.dataset.words);
  const language = document.documentElement.lang;
  const shown = document.querySelector("[data-own-shown]");
  const LONGEST = 400;

  const members = (value, name) => {
    const inner = value && typeof value === "object" ? value[name] : undefined;
    if (inner === undefined || inner === null) return [];
    return Array.isArray(inner) ? inner : [inner];
  };
  const dig = (value, path) => {
    for (const choice of path.split("|")) {
      const names = choice.split(".");
      const found = names.reduce((all, name) => all.flatMap((one) => members(one, name)), [value]);
      if (found.length) return found;
    }
    return [];
  };
  const text = (value, path) => {
    const found = path && dig(value, path)[0];
    return typeof found === "string" ? found : "";
  };

  // What a record names is looked up among our own words alone, never among what all objects have.
  const among = (table, name) =>
    typeof name === "string" && Object.hasOwn(table, name) ? table[name] : undefined;
  const kindOf = (resource) => among(words.kinds, resource.resourceType) ?? words.unknown;

  const day = (said) => {
    if (!/^\d{4}-\d{2}-\d{2}/.test(said)) return said;
    const style = { year: "numeric", month: "long", day: "numeric" };
    const [, year, month, date] = /^(\d{4})-(\d{2})-(\d{2})/.exec(said).map(Number);
    const when = new Date(0);
    when.setUTCFullYear(year, month - 1, date);
    return new Intl.DateTimeFormat(language, { ...style, timeZone: "UTC" }).format(when);
  };

  const quantity = (value) =>
    [value.comparator, value.value, value.unit || value.code].filter(Boolean).join(" ");
  const name = (value) =>
    text(value, "text")
      || [...dig(value, "prefix"), ...dig(value, "given"), text(value, "family")].join(" ").trim();
  const SAID = [
    ["coding", (one) => text(one, "text|coding.display|coding.code")],
    ["family", name], ["given", name],
    ["numerator", (one) => `${say(one.numerator)} / ${say(one.denominator)}`],
    ["low", (one) => [one.low, one.high].map(say).join(" – ")],
    ["start", (one) => `${day(text(one, "start"))} – ${day(text(one, "end"))}`],
    ["doseAndRate", (one) => text(one, "text|patientInstruction")],
    ["timing", (one) => text(one, "text|patientInstruction")],
    ["reference", (one) => text(one, "display|identifier.value")],
    ["value", quantity],
    ["text", (one) => text(one, "text")],
    ["display", (one) => text(one, "display")],
    ["code", (one) => text(one, "display|code")],
  ];
  const say = (value) => {
    if (value === true || value === false) return words.answers[value];
    if (typeof value !== "object" || value === null) return String(value ?? "").slice(0, LONGEST);
    const known = SAID.find(([mark]) => mark in value);
    return known ? known[1](value).slice(0, LONGEST) : "";
  };

  const valueOf = (one) => {
    const member = Object.keys(one).find((key) => /^value[A-Z]/.test(key));
    return member ? say(one[member]) : "";
  };
  const titleOf = (resource, kind) =>
    dig(resource, kind.title).map(say).find(Boolean) || kind.name || resource.resourceType;
  const factsOf = (resource, kind) => [
    ...kind.facts.map(([label, path]) => [label, dig(resource, path).map(say)]),
    ...kind.dates.map(([label, path]) => [label, [day(text(resource, path))]]),
    ...members(resource, "component").map((one) => [say(one.code), [valueOf(one)]]),
  ].map(([label, values]) => [label, [...new Set(values.filter(Boolean))].join("; ")])
    .filter(([, said]) => said);

  const element = (tag, content, style) => {
    const made = document.createElement(tag);
    if (typeof content === "string") made.textContent = content;
    else made.append(...content);
    if (style) made.className = style;
    return made;
  };

  const line = (resource) => {
    const kind = kindOf(resource);
    const measured = valueOf(resource);
    const title = titleOf(resource, kind) + (measured ? `: ${measured}` : "");
    const state = text(resource, "status|clinicalStatus.coding.code");
    const about = [day(text(resource, kind.when)), among(words.status, state) ?? state].filter(Boolean);
    const facts = factsOf(resource, kind).map(([label, said]) =>
      element("div", [element("dt", label), element("dd", said)]));
    const item = element("li", [
      element("p", [kind.name || resource.resourceType, ...about].join(" · "), "kind"),
      element("p", title, "what"),
    ]);
    if (facts.length) item.append(element("dl", facts, "facts"));
    return item;
  };

  const whose = (resources) => {
    const patient = resources.find((one) => one.resourceType === "Patient");
    return patient ? [name(members(patient, "name")[0] || {}), day(text(patient, "birthDate"))]
      .filter(Boolean).join(", ") : "";
  };

  // Numbers stay as their author wrote them where the browser tells (JSON.parse source text access).
  const read = (record) =>
    JSON.parse(record, (_, value, context) =>
      typeof value === "number" ? (context && context.source) || String(value) : value);

  const show = (resources) => {
    const when = (one) => text(one, kindOf(one).when);
    const left = resources.filter((one) => !words.left_out.includes(one.resourceType));
    left.sort((a, b) => when(b).localeCompare(when(a)));
    const into = shown.querySelector("[data-own-lines]");
    into.replaceChildren();
    for (const [part, heading] of words.parts) {
      const its = left.filter((one) => kindOf(one).part === part);
      if (!its.length) continue;
      const lines = element("ul", its.map(line), "timeline");
      into.append(element("section", [element("h2", `${heading} (${its.length})`), lines]));
    }
    shown.querySelector("[data-own-whose]").textContent = whose(resources);
    shown.hidden = false;
    shown.focus();
  };

  let record = null;
  ownCopy.run(part, async (form) => {
    shown.hidden = true;
    const [copy] = ownCopy.chosen(form, "copy").files;
    const [key] = ownCopy.chosen(form, "key").files;
    if (!key) throw new Error("key");
    if (!copy) throw new Error("copy");
    const seed = await ownCopy.unlock(await key.text(), ownCopy.chosen(form, "passphrase").value);
    record = await ownCopy.open(seed, new Uint8Array(await copy.arrayBuffer()));
    const bundle = read(new TextDecoder("utf-8", { fatal: true }).decode(record));
    ownCopy.chosen(form, "passphrase").value = "";
    show(members(bundle, "entry").map((one) => one.resource).filter(Boolean));
  });
  shown.querySelector("[data-own-save]").addEventListener("click", () => {
    ownCopy.save("my-record.json", "application/fhir+json", record);
  });
  part.hidden = false;
  document.querySelectorAll(".without-key").forEach((one) => { one.hidden = true; });
})();
