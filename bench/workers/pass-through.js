// The floor: sets the credential, checks nothing, changes nothing else.
export default {
  async fetch(request, env) {
    const { pathname, search } = new URL(request.url);
    const outbound = new Request(env.UPSTREAM + pathname + search, request);
    outbound.headers.set("Authorization", `Bearer ${env.WRITE_TOKEN}`);
    return fetch(outbound);
  },
};
