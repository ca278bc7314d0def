// A patient's own key and the copies sealed to it (docs/formats/own-copy.md): made, locked and opened
// here and nowhere else. Web Cryptography locks the key, hpke-js (hpke.js) opens what is sealed to it.
"use strict";

const ownCopy = (() => {
  const PASSES = 600000;
  const MOST_PASSES = 10000000;
  const LEAST_PASSPHRASE = 8;
  const ENCAPSULATED = 1120;
  const bytes = (text) => new TextEncoder().encode(text);
  const join = (...parts) => {
    const whole = new Uint8Array(parts.reduce((size, one) => size + one.length, 0));
    let at = 0;
    for (const one of parts) {
      whole.set(one, at);
      at += one.length;
    }
    return whole;
  };

  // {"v": 1, "type": "own-copy", "suite": 1} in deterministic CBOR (RFC 8949).
  const HEADER = join(
    [0xa3, 0x61], bytes("v"), [1, 0x64], bytes("type"), [0x68], bytes("own-copy"),
    [0x65], bytes("suite"), [1],
  );
  const USE = bytes("simdes/own-copy/v1");
  const KEY_AAD = bytes("simdes/own-key/v1");
  const KEY_FIELDS = ["locked", "passes", "salt", "type", "v"].join();

  const possible = () => Boolean(window.crypto && crypto.subtle && window.hpke);

  const toText = (data) =>
    btoa(Array.from(data, (one) => String.fromCharCode(one)).join(""))
      .replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");

  const fromText = (text, size) => {
    const given = String(text);
    const plain = given.replace(/-/g, "+").replace(/_/g, "/");
    const data = Uint8Array.from(atob(plain), (one) => one.charCodeAt(0));
    if (data.length !== size || toText(data) !== given) throw new Error("key");
    return data;
  };

  const cipher = async (passphrase, salt, iterations) => {
    const words = bytes(passphrase.normalize("NFKC"));
    const from = await crypto.subtle.importKey("raw", words, "PBKDF2", false, ["deriveKey"]);
    return crypto.subtle.deriveKey(
      { name: "PBKDF2", hash: "SHA-256", salt, iterations }, from,
      { name: "AES-GCM", length: 256 }, false, ["encrypt", "decrypt"],
    );
  };
  const once = { name: "AES-GCM", iv: new Uint8Array(12), additionalData: KEY_AAD };

  const check = (passphrase, again) => {
    if (passphrase.length < LEAST_PASSPHRASE) throw new Error("short");
    if (passphrase !== again) throw new Error("differs");
  };

  const lock = async (seed, passphrase) => {
    const salt = crypto.getRandomValues(new Uint8Array(16));
    const key = await cipher(passphrase, salt, PASSES);
    const locked = new Uint8Array(await crypto.subtle.encrypt(once, key, seed));
    const fields = { type: "own-key", v: 1, passes: PASSES };
    return JSON.stringify({ ...fields, salt: toText(salt), locked: toText(locked) }) + "\n";
  };

  const readKey = (file) => {
    try {
      const fields = JSON.parse(file);
      const known = fields.type === "own-key" && fields.v === 1
        && Object.keys(fields).sort().join() === KEY_FIELDS;
      const counted = Number.isInteger(fields.passes)
        && PASSES <= fields.passes && fields.passes <= MOST_PASSES;
      if (!known || !counted) throw new Error("key");
      return { ...fields, salt: fromText(fields.salt, 16), locked: fromText(fields.locked, 48) };
    } catch {
      throw new Error("key");
    }
  };

  const unlock = async (file, passphrase) => {
    const { salt, locked, passes } = readKey(file);
    const key = await cipher(passphrase, salt, passes);
    try {
      return new Uint8Array(await crypto.subtle.decrypt(once, key, locked));
    } catch {
      throw new Error("passphrase");
    }
  };

  const pair = (seed) => new hpke.XWing().generateKeyPairDerand(seed);

  const publicOf = async (seed) => {
    const { publicKey } = await pair(seed);
    return toText(new Uint8Array(await new hpke.XWing().serializePublicKey(publicKey)));
  };

  const make = async (passphrase) => {
    const seed = crypto.getRandomValues(new Uint8Array(32));
    return { file: await lock(seed, passphrase), publicKey: await publicOf(seed) };
  };

  const padme = (length) => {
    if (length < 2) return length;
    const exponent = 31 - Math.clz32(length);
    const unit = 2 ** (exponent - (32 - Math.clz32(exponent)));
    return Math.ceil(length / unit) * unit;
  };

  const unpad = (padded) => {
    let end = padded.length;
    while (end > 0 && padded[end - 1] === 0) end -= 1;
    if (padded[end - 1] !== 0x80 || padme(end) !== padded.length) throw new Error("copy");
    return padded.subarray(0, end - 1);
  };

  const info = async () => {
    const bound = new Uint8Array(await crypto.subtle.digest("SHA-256", HEADER));
    return join(bytes("simdes/hpke/v1\0"), [0, 0, 0, USE.length], USE, bound);
  };

  // The record in a copy, as its bytes.
  const open = async (seed, copy) => {
    const known = HEADER.every((one, at) => copy[at] === one);
    if (!known || copy.length <= HEADER.length + ENCAPSULATED + 16) throw new Error("copy");
    const sealed = copy.subarray(HEADER.length);
    const suite = new hpke.CipherSuite({
      kem: new hpke.XWing(), kdf: new hpke.HkdfSha256(), aead: new hpke.Chacha20Poly1305(),
    });
    const { privateKey } = await pair(seed);
    let padded;
    try {
      const context = await suite.createRecipientContext({
        recipientKey: privateKey, enc: sealed.slice(0, ENCAPSULATED), info: await info(),
      });
      padded = await context.open(sealed.slice(ENCAPSULATED));
    } catch {
      throw new Error("other");
    }
    return unpad(new Uint8Array(padded));
  };

  const save = (name, type, content) => {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([content], { type }));
    link.download = name;
    link.click();
    window.setTimeout(() => URL.revokeObjectURL(link.href), 60000);
  };

  // Runs an action of a form here; what it throws names the text that says what is wrong.
  const run = (form, action) => {
    const button = form.querySelector("button");
    const troubles = [...form.querySelectorAll("[data-trouble]")];
    form.addEventListener("submit", async (event) => {
      event.preventDefault();
      troubles.forEach((one) => { one.hidden = true; });
      button.setAttribute("aria-busy", "true");
      button.disabled = true;
      try {
        await action(form);
      } catch (error) {
        const named = troubles.find((one) => one.dataset.trouble === error.message);
        (named || troubles[troubles.length - 1]).hidden = false;
      } finally {
        button.removeAttribute("aria-busy");
        button.disabled = false;
      }
    });
  };

  const chosen = (form, name) => form.querySelector(`[data-field="${name}"]`);

  return { possible, check, make, unlock, publicOf, open, save, run, chosen };
})();

// The page that makes a key, or reads one that was made, for the form below it.
const offerKey = (part) => {
  const { chosen, run } = ownCopy;
  const field = document.querySelector("#key");
  const said = part.querySelector("[role=status]");
  const use = (publicKey, words) => {
    field.value = publicKey;
    said.textContent = words;
    said.hidden = false;
    document.querySelector("#understood").focus();
  };
  run(part.querySelector("[data-own=make]"), async (form) => {
    const passphrase = chosen(form, "passphrase").value;
    ownCopy.check(passphrase, chosen(form, "again").value);
    const made = await ownCopy.make(passphrase);
    ownCopy.save("my-key.json", "application/json", made.file);
    form.reset();
    use(made.publicKey, said.dataset.made);
  });
  run(part.querySelector("[data-own=use]"), async (form) => {
    const [file] = chosen(form, "file").files;
    if (!file) throw new Error("key");
    const seed = await ownCopy.unlock(await file.text(), chosen(form, "passphrase").value);
    form.reset();
    use(await ownCopy.publicOf(seed), said.dataset.used);
  });
  part.hidden = false;
  document.querySelectorAll(".without-key").forEach((one) => { one.hidden = true; });
};

if (ownCopy.possible()) document.querySelectorAll("[data-own-key]").forEach(offerKey);
