// One secret of a Secrets Store. PUT sets it, DELETE takes it away, and while it is `hangs` nothing is answered.

import { WorkerEntrypoint } from "cloudflare:workers";

let value;

export class Secret extends WorkerEntrypoint {
  async get() {
    value ??= this.env.VALUE;
    console.log(JSON.stringify({ event: "secrets-store" }));
    if (value === "hangs") return new Promise(() => setTimeout(() => {}, 1e9));
    if (value === "") throw new Error("Secret not found");
    return value;
  }
}

export default {
  async fetch(request) {
    value = request.method === "DELETE" ? "" : await request.text();
    return new Response();
  },
};
