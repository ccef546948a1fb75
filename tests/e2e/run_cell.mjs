// What an editor such as VS Code does with a remote notebook server: @jupyterlab/services in Node, with a token.
//
// Usage: node run_cell.mjs BASE_URL TOKEN CODE. Prints one line of JSON: the kernel's output, or how it was refused.
// Node finds the packages by the folder in NODE_MODULES, and trusts the authority in NODE_EXTRA_CA_CERTS.

import { createRequire } from "node:module";

const require = createRequire(`${process.env.NODE_MODULES}/here.js`);
const { KernelManager, ServerConnection } = require("@jupyterlab/services");
const WebSocket = require("ws");

const [baseUrl, token, code] = process.argv.slice(2);
const serverSettings = ServerConnection.makeSettings({
  baseUrl,
  wsUrl: baseUrl.replace(/^http/, "ws"),
  token,
  WebSocket,
});

async function run() {
  const manager = new KernelManager({ serverSettings });
  const kernel = await manager.startNew({ name: "python3" });
  let output = "";
  const future = kernel.requestExecute({ code });
  future.onIOPub = (message) => {
    if (message.header.msg_type === "stream") {
      output += message.content.text;
    }
  };
  const reply = await future.done;
  await kernel.shutdown();
  return { status: reply.content.status, output };
}

run()
  .catch((error) => ({ status: error.response?.status ?? 0, output: error.message }))
  .then((said) => {
    console.log(JSON.stringify(said));
    process.exit(0); // the managers go on asking otherwise
  });
