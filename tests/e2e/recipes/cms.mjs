// After the recipe's example: what the key may not do.
const refused = async (call) => {
  try {
    await call();
    return { name: "nothing: it went through" };
  } catch (error) {
    const problem = await error.response?.clone().json().catch(() => ({}));
    return { name: error.name, status: error.response?.status, code: problem?.code };
  }
};

console.log(
  "RESULT " +
    JSON.stringify({
      made,
      deleted: await refused(() => articles.delete(made.data.documentId)),
      elsewhere: await refused(() => client.collection("users").create({ name: "me" })),
      stranger: await refused(() =>
        strapi({ baseURL: process.env.GATE, auth: "not-a-session" }).collection("articles").create({ title: "No" }),
      ),
    }),
);
