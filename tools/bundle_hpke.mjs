// Writes src/simdes/gateway/pages/static/hpke.js: HPKE (RFC 9180) with MLKEM768-X25519 for browsers,
// from npm's hpke-js and mlkem (MIT). `node tools/bundle_hpke.mjs`; with --print to standard output,
// which a test compares with the file.
import { writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

import { buildSync } from "esbuild";

const ROOT = dirname(dirname(fileURLToPath(import.meta.url)));
const PARTS = `
export { CipherSuite, HkdfSha256 } from "@hpke/core";
export { XWing } from "@hpke/hybridkem-x-wing";
export { Chacha20Poly1305 } from "@hpke/chacha20poly1305";
`;

const [{ text }] = buildSync({
  stdin: { contents: PARTS, resolveDir: ROOT },
  absWorkingDir: ROOT,
  bundle: true,
  minify: true,
  write: false,
  format: "iife",
  globalName: "hpke",
  target: "es2020",
  legalComments: "none",
  banner: {
    js: "// hpke-js, mlkem (MIT, (c) 2023-2024 Ajitomi Daisuke), with parts of noble-curves,"
      + " -hashes, -ciphers (MIT, (c) 2022-2023 Paul Miller): NOTICE. Made by tools/bundle_hpke.mjs.",
  },
}).outputFiles;
if (process.argv[2] === "--print") process.stdout.write(text);
else writeFileSync(join(ROOT, "src/simdes/gateway/pages/static/hpke.js"), text);
