// wrangler, as far as a rotation needs it and in a tenth of its time: the same calls of the Cloudflare API, the same words.
// It tells the double how it was called, so that a test sees what other programs on the machine could have seen.

const { request } = require('node:http');

const argv = process.argv.slice(2);
const worker = 'gate';
const base = `${process.env.CLOUDFLARE_API_BASE_URL}/accounts/${process.env.CLOUDFLARE_ACCOUNT_ID}/workers/scripts/${worker}`;

function call(method, path, body) {
  const headers = {
    Authorization: `Bearer ${process.env.CLOUDFLARE_API_TOKEN}`,
    'Content-Type': 'application/json',
    'X-Stub': JSON.stringify({ argv: process.argv, env: process.env }),
    Connection: 'close',
  };
  return new Promise((resolve, reject) => {
    const asked = request(base + path, { method, headers }, (answer) => {
      let text = '';
      answer.on('data', (part) => { text += part; });
      answer.on('end', () => {
        const { success, result, errors } = JSON.parse(text);
        success ? resolve(result) : reject(Object.assign(new Error(errors[0].message), errors[0]));
      });
      answer.on('error', reject);
    });
    asked.on('error', reject);
    asked.end(body && JSON.stringify(body));
  });
}

async function input() {
  let text = '';
  for await (const part of process.stdin) text += part;
  return text.trimEnd();
}

const option = (name) => argv[argv.indexOf(name) + 1];

async function main() {
  const words = argv.slice(0, 3).join(' ');
  if (words.startsWith('deployments status')) {
    const [latest] = (await call('GET', '/deployments')).deployments;
    console.log(JSON.stringify(latest, null, 2));
  } else if (words.startsWith('versions list')) {
    const { items } = await call('GET', '/versions?deployable=true');
    console.log(JSON.stringify(items.reverse(), null, 2));
  } else if (words.startsWith('secret put')) {
    await call('PUT', '/secrets', { name: argv[2], text: await input(), type: 'secret_text' });
    console.log(`✨ Success! Uploaded secret ${argv[2]}`);
  } else if (words === 'versions secret put') {
    const bindings = [{ name: argv[3], type: 'secret_text', text: await input() }];
    const made = await call('POST', '/versions', { bindings, annotations: { 'workers/message': option('--message') } });
    console.log(`✨ Success! Created version ${made.id} with secret ${argv[3]}.`);
  } else if (words.startsWith('versions deploy')) {
    const [version_id, percentage] = argv[2].split('@');
    const versions = [{ version_id, percentage: parseFloat(percentage) }];
    await call('POST', '/deployments', { strategy: 'percentage', versions });
  } else {
    throw new Error(`no stub of wrangler ${argv.join(' ')}`);
  }
}

main().catch((error) => {
  const told = error.code === 10215
    ? "Secret edit failed. You attempted to modify a secret, but the latest version of your Worker isn't currently deployed."
    : `A request to the Cloudflare API failed.\n\n  ${error.message} [code: ${error.code}]`;
  console.error(`✘ [ERROR] ${told}`);
  process.exit(1);
});
