// A user's program, which TypeScript must take, and what it must not.

import { writegate, GateError, type Gate, type Options, type Session } from "writegate";

const page: Gate = writegate({ url: "https://gate.example.com", key: "pk_site", turnstile: () => "token" });
const own = writegate({ session: async (): Promise<Session> => ({ token: "a", expires_in: 300 }), throws: false });
void own.fetch(new URL("https://gate.example.com/posts"));

export async function send(body: Blob, show: (part: number) => void): Promise<number> {
  await page.ready();
  const { fetch } = page;
  try {
    const onUploadProgress = ({ loaded, total }: { loaded: number; total: number }) => show(loaded / total);
    const answer: Response = await fetch("/posts", { method: "POST", body, onUploadProgress });
    return answer.status;
  } catch (error) {
    if (!(error instanceof GateError)) throw error;
    const after: number | undefined = error.retryAfter;
    console.error(error.code, error.title, after, error.problem["field"], error.response?.headers, error.cause);
    return error.status;
  }
}

// @ts-expect-error: there is no such option
writegate({ sesion: () => ({ token: "a" }) });
// @ts-expect-error: an id is text
writegate({ key: 5 } satisfies Options);
