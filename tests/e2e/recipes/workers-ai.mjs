// After the recipe's example: an answer in one piece, an embedding, a key that is a function, and what the key may not do.
const messages = [{ role: "user", content: "Say hello." }];
const model = "@cf/meta/llama-3.1-8b-instruct";
const baseURL = `${process.env.GATE}/ai/v1`;

const renewing = new OpenAI({ baseURL, apiKey: async () => process.env.SESSION });
const whole = await renewing.chat.completions.create({ model, messages });
const embedded = await client.embeddings.create({
  model: "@cf/baai/bge-large-en-v1.5",
  input: "hello",
  encoding_format: "float",
});

const refused = async (call) => {
  try {
    await call();
    return { name: "nothing: it went through" };
  } catch (error) {
    return { name: error.constructor.name, status: error.status, code: error.code, message: error.message, requestID: error.requestID };
  }
};

console.log(
  "RESULT " +
    JSON.stringify({
      whole: whole.choices[0].message.content,
      embedding: embedded.data[0].embedding,
      responses: await refused(() => client.responses.create({ model, input: "hello" })),
      models: await refused(() => client.models.list()),
      stranger: await refused(() => new OpenAI({ baseURL, apiKey: "not-a-session" }).chat.completions.create({ model, messages })),
    }),
);
