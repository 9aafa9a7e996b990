// The gateway's HTTP answers, as this page uses them. Times are microseconds since the epoch, UTC (`_us`).

export type DeviceState =
  | "normal"
  | "maintenance"
  | "out_of_specification"
  | "function_check"
  | "failure";

export interface Device {
  name: string;
  protocol: string;
  address: string;
  status: DeviceState;
  detail: string;
  since_us: number;
  last_good_us: number | null;
  last_error: string | null;
  requests: number;
  answers: number;
  timeouts: number;
  exceptions: number;
  missed: number;
  dropped: number;
  round_trip_us: number | null;
  tables: string[];
  good: number;
  uncertain: number;
  bad: number;
  key_signal: number | null;
  /** Of CAN buses. */
  bus: Bus | null;
}

/** Figures of a CAN bus; null where it has none. */
export interface Bus {
  state: string | null;
  frame_rate_hz: number | null;
  load_ratio: number | null;
  transmit_errors: number | null;
  receive_errors: number | null;
  error_frames: number | null;
  lost_frames: number | null;
  refused_rows: number;
  unknown_ids: number;
  unknown_frames: number;
  stale_messages: number;
  databases_refused: boolean;
}

export interface Stream {
  stream: string;
  backlog_messages: number;
  backlog_bytes: number;
  oldest_us: number | null;
  sent: number;
  acknowledged: number;
  seq: number;
}

export interface Uplink {
  name: string;
  kind: string;
  address: string;
  state: string;
  since_us: number;
  last_error: string | null;
  streams: Stream[];
  drain_per_s: number;
  fill_per_s: number;
  eta_s: number | null;
  note: string | null;
}

export interface Detector {
  name: string;
  asset: string;
  state: string;
  detail: string;
  signals: number;
  alarm: boolean;
  open_episodes: number;
  score_signal: number | null;
}

export interface Status {
  gateway: string;
  site: string;
  /** IANA name of the zone in which people at the site read clocks. */
  timezone: string;
  version: string;
  demo: boolean;
  started_us: number;
  now_us: number;
  clock: string;
  /** How many signals there are: the list is read again when it has grown. */
  signals?: number;
  /** Times a known signal has become another one: the list is read again when it differs. */
  catalog_turns?: number;
  devices: Device[];
  journal: {
    head: number;
    bytes: number;
    sync_interval_ms: number;
    segments: number;
    refused: number;
    /** Why nothing can be made durable; null while all is well. */
    error: string | null;
  };
  lake: {
    files: number;
    rows: number;
    bytes: number;
    unsealed_rows: number;
    /** Why the files cannot be listed; null while all is well. */
    error: string | null;
    /** Given up to keep the disk within its budget, since the start. */
    evicted_files: number;
    evicted_bytes: number;
    /** Of which one row a minute was left for the same reason, since the start. */
    thinned_files: number;
    thinned_bytes: number;
    /** Journal records that were lost before they were in a file. */
    missed_records: number;
  };
  /** Alarms that want something of an operator, and of these those nobody has acknowledged. */
  alarms?: { told: number; unacknowledged: number };
  uplinks: Uplink[];
  detectors: Detector[];
}

export interface Signal {
  id: number;
  path: string;
  table: string;
  column: string;
  device: string;
  kind: string;
  unit: string | null;
  description: string | null;
  low: number | null;
  high: number | null;
  labels: Record<string, string> | null;
  source: string;
  sa: number | null;
  /** Whether the configuration still has it; its history stays. */
  current: boolean;
}

export interface Buckets {
  id: number;
  from_us: number;
  to_us: number;
  bucket_us: number;
  t_us: number[];
  min: (number | null)[];
  max: (number | null)[];
  mean: (number | null)[];
  q: number[];
}

export type Severity = "note" | "advisory" | "alarm";

export interface GatewayEvent {
  ts_us: number;
  kind: string;
  severity: Severity;
  source: string;
  message: string;
  details: unknown;
}

export interface Contribution {
  signal: string;
  id: number | null;
  share: number;
  value: number | null;
  expected: number | null;
  band: number | null;
}

export interface Episode {
  detector: string;
  onset_us: number;
  opened_us: number;
  closed_us: number | null;
  peak: number;
  top: Contribution[];
}

export type AlarmState =
  | "normal"
  | "unacknowledged"
  | "acknowledged"
  | "returned"
  | "latched_unacknowledged"
  | "latched";

export type AlarmPriority = "low" | "medium" | "high" | "critical";

/** An alarm, after ISA-18.2, and what it says to an operator. */
export interface Alarm {
  alarm: string;
  priority: AlarmPriority;
  message: string | null;
  latches: boolean;
  cause: string | null;
  consequence: string | null;
  action: string | null;
  respond_within_s: number | null;
  sql: string;
  state: AlarmState;
  is_met: boolean;
  shelved_until: number | null;
  is_suppressed: boolean;
  is_out_of_service: boolean;
  /** Whether it wants something of an operator now. */
  is_told: boolean;
  raised_us: number | null;
  returned_us: number | null;
  text: string | null;
  values: Record<string, number | boolean | string | null> | null;
  by: string | null;
  comment: string | null;
  raised: number;
}

/** What an operator or engineer does to an alarm. */
export interface AlarmOrder {
  verb: "acknowledge" | "reset" | "shelve" | "unshelve" | "out_of_service" | "in_service";
  comment?: string;
  minutes?: number;
}

export interface Reading {
  metric: string;
  kind: "counter" | "gauge";
  labels: Record<string, string>;
  value: number | null;
}

/** A Modbus line or a CAN bus, and what its adapter counts. */
export interface Line {
  name: string;
  protocol: string;
  readings: Reading[];
}

export interface LakeTable {
  table: string;
  files: number;
  bytes: number;
  bytes_of_day: number;
  oldest_us: number | null;
  newest_us: number | null;
}

/** How the upload of the lake's files goes. */
export interface UploadUse {
  to: string;
  waiting_files: number;
  waiting_bytes: number;
  last_success_us: number | null;
  /** Why the last attempt failed. */
  error: string | null;
}

export interface LakeUse {
  /** Why the files cannot be listed; the figures are then older ones. */
  error: string | null;
  files: number;
  bytes: number;
  oldest_us: number | null;
  bytes_per_day: number | null;
  volume: { free: number; total: number } | null;
  budget: { bytes_max: number | null; free_min: number };
  bytes_left: number | null;
  days_left: number | null;
  /** Null where nothing is uploaded. */
  upload: UploadUse | null;
  tables: LakeTable[];
}

/** The first rows of an answer in SQL, as texts; null is null. */
export interface Answer {
  columns: { name: string; type: string; number: boolean }[];
  rows: (string | null)[][];
  /** There were more rows. */
  cut: boolean;
  elapsed_ms: number;
}

/** What went wrong with a request, in words for people: what happened, and what to do if the gateway knows. */
export class RequestError extends Error {
  readonly code: string;
  readonly hint: string;
  constructor(message: string, code: string, hint: string) {
    super(message);
    this.code = code;
    this.hint = hint;
  }
}

export type Role = "viewer" | "operator" | "engineer" | "admin";

/** Who asks, and what they need to come in. */
export interface Session {
  claimed: boolean;
  reading: "login" | "open";
  user: { name: string; role: Role; is_session: boolean } | null;
}

export interface User {
  name: string;
  role: Role;
  created_us: number;
}

export interface Token {
  name: string;
  role: Role;
  created_us: number;
  expires_us: number | null;
}

export interface OpenSession {
  id: string;
  user: string;
  from: string;
  age_s: number;
  idle_s: number;
}

/** A record of the audit; what is in its body depends on its kind. */
export interface AuditRecord {
  n: number;
  kind: string;
  hash: string;
  body: Record<string, unknown>;
}

const refusals = new Set<() => void>();

/** Calls `listener` whenever a request is refused because nobody is logged in. */
export function onRefusal(listener: () => void): void {
  refusals.add(listener);
}

async function ask(path: string, how: RequestInit): Promise<Response> {
  let answer: Response;
  try {
    answer = await fetch(path, how);
  } catch (cause) {
    if (how.signal?.aborted) throw cause;
    throw new RequestError("", "unreachable", "");
  }
  if (answer.ok) return answer;
  const problem = (await answer.json().catch(() => ({}))) as Record<string, unknown>;
  const text = (key: string) => (typeof problem[key] === "string" ? problem[key] : "");
  if (text("code") === "not_logged_in") for (const refused of refusals) refused();
  throw new RequestError(
    text("detail") || text("title") || `HTTP ${answer.status}`,
    text("code") || `http_${answer.status}`,
    text("hint"),
  );
}

async function get<T>(path: string, signal?: AbortSignal): Promise<T> {
  const headers = { accept: "application/json" };
  return (await (await ask(path, { headers, ...(signal ? { signal } : {}) })).json()) as T;
}

export const fetchStatus = (signal?: AbortSignal) => get<Status>("/api/v1/status", signal);

export const fetchSignals = async () =>
  (await get<{ signals: Signal[] }>("/api/v1/signals")).signals;

export const fetchReasons = async () =>
  (await get<{ reasons: Record<string, string> }>("/api/v1/reasons")).reasons;

export const fetchEvents = async (limit: number) =>
  (await get<{ events: GatewayEvent[] }>(`/api/v1/events?limit=${limit}`)).events;

export const fetchEpisodes = async (limit: number) =>
  (await get<{ episodes: Episode[] }>(`/api/v1/anomalies?limit=${limit}`)).episodes;

export const fetchAlarms = async () => (await get<{ alarms: Alarm[] }>("/api/v1/alarms")).alarms;

/** A request with a body, whose answer has nothing to read. */
async function send(method: string, path: string, body?: unknown): Promise<Response> {
  return ask(path, { method, ...(body === undefined ? {} : { body: JSON.stringify(body) }) });
}

export const orderAlarm = async (alarm: string, order: AlarmOrder) => {
  const { verb, ...body } = order;
  const path = `/api/v1/alarms/${encodeURIComponent(alarm)}/${verb}`;
  return (await (await send("POST", path, body)).json()) as Alarm;
};

export const fetchSession = () => get<Session>("/api/v1/session");

export const logIn = (name: string, password: string) => send("POST", "/api/v1/session", { name, password });

export const logOut = () => send("DELETE", "/api/v1/session");

export const claimGateway = (code: string, name: string, password: string) =>
  send("POST", "/api/v1/claim", { code, name, password });

export const changePassword = async (old: string, fresh: string) => {
  await send("PUT", "/api/v1/session/password", { old, new: fresh });
};

export const fetchUsers = async () => (await get<{ users: User[] }>("/api/v1/users")).users;

export const addUser = (name: string, role: Role, password: string) =>
  send("POST", "/api/v1/users", { name, role, password });

export const changeUser = (name: string, change: { role?: Role; password?: string }) =>
  send("PATCH", `/api/v1/users/${encodeURIComponent(name)}`, change);

export const removeUser = (name: string) => send("DELETE", `/api/v1/users/${encodeURIComponent(name)}`);

export const fetchTokens = async () => (await get<{ tokens: Token[] }>("/api/v1/tokens")).tokens;

/** The token itself: shown once. */
export const addToken = async (name: string, role: Role, days: number | null) => {
  const body = days === null ? { name, role } : { name, role, days };
  return ((await (await send("POST", "/api/v1/tokens", body)).json()) as { token: string }).token;
};

export const revokeToken = (name: string) => send("DELETE", `/api/v1/tokens/${encodeURIComponent(name)}`);

export const fetchSessions = async () => (await get<{ sessions: OpenSession[] }>("/api/v1/sessions")).sessions;

export const endSession = (id: string) => send("DELETE", `/api/v1/sessions/${encodeURIComponent(id)}`);

export const fetchAudit = async (limit: number) =>
  (await get<{ records: AuditRecord[] }>(`/api/v1/audit?limit=${limit}`)).records;

export const fetchLines = (signal?: AbortSignal) => get<Line[]>("/api/v1/lines", signal);

export const fetchFrames = async (line: string, signal?: AbortSignal) =>
  (await ask(`/api/v1/lines/${encodeURIComponent(line)}/frames`, signal ? { signal } : {})).text();

export const fetchLake = (signal?: AbortSignal) => get<LakeUse>("/api/v1/lake", signal);

export const askSql = async (sql: string, signal?: AbortSignal) => {
  const body = JSON.stringify({ sql });
  const asked = await ask("/api/v1/sql", { method: "POST", body, ...(signal ? { signal } : {}) });
  return (await asked.json()) as Answer;
};

/** Where the whole answer can be read from, by a program or as a download. */
export const sqlAddress = (sql: string, format: "csv" | "jsonl" | "arrow") =>
  `/api/v1/sql?format=${format}&sql=${encodeURIComponent(sql)}`;

export const fetchTrend = (
  ask: { id: number; fromMs: number; toMs: number; px: number },
  signal?: AbortSignal,
) =>
  get<Buckets>(
    `/api/v1/trend?id=${ask.id}&from=${Math.round(ask.fromMs * 1000)}` +
      `&to=${Math.round(ask.toMs * 1000)}&px=${Math.round(ask.px)}`,
    signal,
  );
