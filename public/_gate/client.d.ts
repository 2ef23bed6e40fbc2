/** Returns a client of a gate. Nothing is sent until a call needs it; wrong options are a `TypeError` at once. */
export function writegate(options: Options): Gate;

/** Either `key` and `turnstile`, for sessions that the gate mints, or `session`, for those of your own server. */
export interface Options {
  /** The gate. Default: the origin that this module was loaded from. */
  url?: string | URL;
  /** The id of a key with `mint`. */
  key?: string;
  /** Turnstile's sitekey, or a function that resolves to a fresh token each time. */
  turnstile?: string | (() => string | Promise<string>);
  /** Where Turnstile's widget may show. Default: a `div` at the end of `body`, while it is needed. */
  container?: HTMLElement;
  /** Fetches a session from your own server. */
  session?: () => Session | Promise<Session>;
  /** `false`: refusals of the gate are returned as the `Response` they came as. Default: `true`. */
  throws?: boolean;
}

/** A session, as the gate's mint answers it. */
export interface Session {
  token: string;
  /** Seconds. Without it, the session is used until the gate refuses it. */
  expires_in?: number;
  /** The secret (`ss_…`) of a bound session. */
  session_key?: string;
}

export interface RequestOptions extends RequestInit {
  /** Called with how much of the body the network has taken; the request then goes by `XMLHttpRequest`, where there is one. */
  onUploadProgress?: (progress: { loaded: number; total: number }) => void;
}

export interface Gate {
  /** As the platform's `fetch`, for the gate's origin only; `input` is resolved against `url`. Needs no `this`. */
  fetch(input: string | URL | Request, init?: RequestOptions): Promise<Response>;
  /** Mints a session now, unless there is one: for a form's focus event. */
  ready(): Promise<void>;
}

/** A refusal of the gate, or with `status` 0 a Turnstile widget that failed (its `cause` says why). */
export class GateError extends Error {
  readonly name: "GateError";
  /** Stable; `/_gate/problems` explains all codes. */
  readonly code: string;
  readonly status: number;
  readonly title: string;
  readonly detail: string;
  /** For the gate's operator: one log line has it. */
  readonly requestId?: string;
  /** Seconds. */
  readonly retryAfter?: number;
  /** The whole document: `reason`, `field`, `hint`, `signature_base` and others, by code. */
  readonly problem: Record<string, unknown>;
  /** The response; its body is still unread. */
  readonly response?: Response;
}
