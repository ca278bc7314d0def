// Compile the contracts that ship and write their artifacts into the Python package.
//
//   node contracts/compile.mjs            writes src/simdes/ledger/artifacts/<Contract>.json
//   node contracts/compile.mjs DIRECTORY  writes there instead (the test compares the two)
//
// The output depends on the sources, the pinned compiler and the settings below alone: no metadata
// hash, no path of a machine, keys in a fixed order. So a fresh compile compares byte for byte.
import { createRequire } from "node:module";
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join, relative, resolve, sep } from "node:path";
import { fileURLToPath } from "node:url";

const repository = resolve(dirname(fileURLToPath(import.meta.url)), "..");
const solc = createRequire(import.meta.url)("solc");

const EVM_VERSION = "cancun";
const MOST_CODE_BYTES = 24_576; // EIP-170

// Contract name -> source that defines it. Others' are deployed as they are.
const OPENZEPPELIN = "node_modules/@openzeppelin/contracts";
const POSEIDON = "node_modules/poseidon-solidity";
const SHIPPED = {
  AccessManager: `${OPENZEPPELIN}/access/manager/AccessManager.sol`,
  Accounts: "contracts/src/Accounts.sol",
  Administrators: "contracts/src/Administrators.sol",
  AuditLog: "contracts/src/AuditLog.sol",
  ClaimBook: "contracts/src/ClaimBook.sol",
  ClaimVerifier: "contracts/src/generated/ClaimVerifier.sol",
  ClaimVerifierForm: "contracts/src/generated/ClaimVerifierForm.sol",
  Claims: "contracts/src/Claims.sol",
  Consents: "contracts/src/Consents.sol",
  CohortVerifier: "contracts/src/generated/CohortVerifier.sol",
  CohortVerifierForm: "contracts/src/generated/CohortVerifierForm.sol",
  DisclosureVerifier: "contracts/src/generated/DisclosureVerifier.sol",
  DisclosureVerifierForm: "contracts/src/generated/DisclosureVerifierForm.sol",
  DispenseVerifier: "contracts/src/generated/DispenseVerifier.sol",
  DispenseVerifierForm: "contracts/src/generated/DispenseVerifierForm.sol",
  ERC1967Proxy: `${OPENZEPPELIN}/proxy/ERC1967/ERC1967Proxy.sol`,
  FreeVerifier: "contracts/src/generated/FreeVerifier.sol",
  FreeVerifierForm: "contracts/src/generated/FreeVerifierForm.sol",
  Nullifiers: "contracts/src/Nullifiers.sol",
  PoseidonT3: `${POSEIDON}/PoseidonT3.sol`,
  PoseidonT4: `${POSEIDON}/PoseidonT4.sol`,
  Prescriptions: "contracts/src/Prescriptions.sol",
  Records: "contracts/src/Records.sol",
  SettleVerifier: "contracts/src/generated/SettleVerifier.sol",
  SettleVerifierForm: "contracts/src/generated/SettleVerifierForm.sol",
  Statements: "contracts/src/Statements.sol",
  Studies: "contracts/src/Studies.sol",
  Tags: "contracts/src/Tags.sol",
  TimelockController: `${OPENZEPPELIN}/governance/TimelockController.sol`,
};

function read(name) {
  return readFileSync(join(repository, name), "utf8");
}

function sourcesUnder(folder) {
  return readdirSync(join(repository, folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith(".sol"))
    .map((entry) => relative(repository, join(entry.parentPath, entry.name)).split(sep).join("/"));
}

function standardInput() {
  const names = [...new Set([...sourcesUnder("contracts/src"), ...Object.values(SHIPPED)])].sort();
  const outputs = ["abi", "evm.bytecode.object", "evm.deployedBytecode"];
  const selection = {};
  for (const [contract, source] of Object.entries(SHIPPED)) {
    selection[source] = { ...selection[source], [contract]: outputs };
  }
  return {
    language: "Solidity",
    sources: Object.fromEntries(names.map((name) => [name, { content: read(name) }])),
    settings: {
      evmVersion: EVM_VERSION,
      optimizer: { enabled: true, runs: 200 },
      metadata: { bytecodeHash: "none", appendCBOR: false },
      remappings: [
        `@openzeppelin/contracts/=${OPENZEPPELIN}/`,
        "@openzeppelin/contracts-upgradeable/=node_modules/@openzeppelin/contracts-upgradeable/",
        `poseidon-solidity/=${POSEIDON}/`,
      ],
      outputSelection: selection,
    },
  };
}

function compile() {
  const importer = { import: (name) => ({ contents: read(name) }) };
  const output = JSON.parse(solc.compile(JSON.stringify(standardInput()), importer));
  const problems = (output.errors ?? []).filter((problem) => problem.severity !== "info");
  for (const problem of problems) console.error(problem.formattedMessage);
  if (problems.length > 0) throw new Error("the contracts must compile without a warning");
  return output.contracts;
}

// Where in the deployed code the constructor writes immutable values: byte offsets and lengths,
// without the compiler's node numbers, so that two codes can be compared with those bytes left out.
function immutableReferences(deployed) {
  const immutables = Object.values(deployed.immutableReferences ?? {}).flat();
  // A library's code begins with its own address (PUSH20), filled in when it is deployed.
  if (deployed.object.startsWith(`73${"00".repeat(20)}30`)) {
    immutables.push({ start: 1, length: 20 });
  }
  return immutables
    .map(({ start, length }) => ({ start, length }))
    .sort((a, b) => a.start - b.start);
}

function artifact(contractName, compiled) {
  const deployed = compiled.evm.deployedBytecode;
  const size = deployed.object.length / 2;
  if (size > MOST_CODE_BYTES) throw new Error(`${contractName} has ${size} bytes of code`);
  return {
    contractName,
    compiler: solc.version(),
    evmVersion: EVM_VERSION,
    abi: compiled.abi,
    bytecode: `0x${compiled.evm.bytecode.object}`,
    deployedBytecode: `0x${deployed.object}`,
    immutableReferences: immutableReferences(deployed),
  };
}

const target = process.argv[2] ?? join(repository, "src/simdes/ledger/artifacts");
mkdirSync(target, { recursive: true });
const contracts = compile();
for (const [name, source] of Object.entries(SHIPPED)) {
  const made = artifact(name, contracts[source][name]);
  writeFileSync(join(target, `${name}.json`), `${JSON.stringify(made, null, 1)}\n`);
  console.log(`${name}: ${made.deployedBytecode.length / 2 - 1} bytes of code`);
}
