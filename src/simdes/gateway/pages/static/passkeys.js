// Passkeys: fills the fields of a form with what the browser's authenticator answers and sends it.
// Web Authentication Level 3 with the PRF extension, https://www.w3.org/TR/webauthn-3/#prf-extension
"use strict";

const toBytes = (text) =>
  Uint8Array.from(atob(text.replace(/-/g, "+").replace(/_/g, "/")), (one) => one.charCodeAt(0));

const toText = (buffer) =>
  btoa(String.fromCharCode(...new Uint8Array(buffer)))
    .replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");

const listed = (credentials) =>
  (credentials || []).map((one) => ({ ...one, id: toBytes(one.id) }));

const withBytes = (options) => {
  const ready = { ...options, challenge: toBytes(options.challenge) };
  if (options.user) ready.user = { ...options.user, id: toBytes(options.user.id) };
  if (options.excludeCredentials) ready.excludeCredentials = listed(options.excludeCredentials);
  if (options.allowCredentials) ready.allowCredentials = listed(options.allowCredentials);
  ready.extensions = { prf: { eval: { first: toBytes(options.extensions.prf.eval.first) } } };
  return ready;
};

// What is sent holds no extension results: the PRF's output travels in a field of its own.
const asText = (credential) => {
  const response = { clientDataJSON: toText(credential.response.clientDataJSON) };
  for (const name of ["attestationObject", "authenticatorData", "signature", "userHandle"]) {
    if (credential.response[name]) response[name] = toText(credential.response[name]);
  }
  return JSON.stringify({
    id: credential.id, rawId: toText(credential.rawId), type: credential.type, response,
    clientExtensionResults: {},
  });
};

const outputOf = (credential) => {
  const prf = credential.getClientExtensionResults().prf;
  return prf && prf.results && prf.results.first ? toText(prf.results.first) : "";
};

// Many authenticators evaluate the PRF only when a passkey is used, so it is used once at once.
const outputLater = async (options, credential) => {
  const prf = credential.getClientExtensionResults().prf;
  if (!prf || !prf.enabled) return "";
  const used = await navigator.credentials.get({
    publicKey: {
      challenge: crypto.getRandomValues(new Uint8Array(32)),
      rpId: options.rp.id,
      allowCredentials: [{ type: "public-key", id: credential.rawId }],
      userVerification: "required",
      extensions: options.extensions,
    },
  });
  return outputOf(used);
};

const answer = async (form) => {
  const publicKey = withBytes(JSON.parse(form.dataset.options));
  const creating = form.dataset.passkey === "create";
  const credential = creating
    ? await navigator.credentials.create({ publicKey })
    : await navigator.credentials.get({ publicKey });
  const output = outputOf(credential) || (creating ? await outputLater(publicKey, credential) : "");
  form.elements.answer.value = asText(credential);
  form.elements.prf.value = output;
};

const watch = (form) => {
  const refused = form.querySelector("[role=alert]");
  form.hidden = false;
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    refused.hidden = true;
    try {
      await answer(form);
    } catch {
      refused.hidden = false;
      return;
    }
    form.submit();
  });
};

if (window.PublicKeyCredential) {
  document.querySelectorAll("form[data-passkey]").forEach(watch);
  document.querySelectorAll(".needs-passkeys").forEach((one) => { one.hidden = false; });
  document.querySelectorAll(".without-passkeys").forEach((one) => { one.hidden = true; });
}
