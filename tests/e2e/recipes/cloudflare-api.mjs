// After the recipe's example: what the key may not do.
const refused = async (call) => {
  try {
    await call();
    return { name: "nothing: it went through" };
  } catch (error) {
    return { name: error.constructor.name, status: error.status, request_id: error.headers?.get("x-request-id") };
  }
};

const other = "f".repeat(32);
const stranger = new Cloudflare({ baseURL: `${process.env.GATE}/client/v4`, apiToken: "not-a-session" });
console.log(
  "RESULT " +
    JSON.stringify({
      made: made.id,
      deleted: await refused(() => client.dns.records.delete(made.id, { zone_id })),
      elsewhere: await refused(() => client.dns.records.get(made.id, { zone_id: other })),
      tokens: await refused(() => client.user.tokens.list()),
      stranger: await refused(() => stranger.dns.records.get(made.id, { zone_id })),
    }),
);
