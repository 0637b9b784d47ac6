// What a client program is told and what it says; the same as clients/report.py.

const access = JSON.parse(process.env.TOLLGATE_ACCESS); // {"url", "who", "keys": {name: key}}
export const baseURL = `${access.url}/v1`;
export const keys = access.keys;
const cases = [];

/** Declare a case: a function whose value, or its promise's, is JSON. */
export function declare(name, asking) {
  cases.push([name, asking]);
}

/** The messages that make the scripted backend play `script`; `name` tells who asked, where that is counted. */
export function ask(script, name) {
  return [{ role: "user", content: [script, access.who, name].filter(Boolean).join(" ") }];
}

/** The error that `asking` ends with: its class, and of OpenAI's attributes those that it has. */
export async function raised(asking) {
  let value;
  try {
    value = await asking();
  } catch (error) {
    const { status = null, statusCode = null, type = null, code = null, param = null, message } = error;
    return { class: error.constructor.name, status_code: status ?? statusCode, type, code, param, message };
  }
  throw new Error(`nothing was raised, the value is ${JSON.stringify(value)}`);
}

/** Run every case at once and print, on the last line, what each gave: {"value": ...}, or {"failed": stack}. */
export async function report() {
  const outcomes = cases.map(async ([name, asking]) => {
    try {
      return [name, { value: await asking() }];
    } catch (error) {
      return [name, { failed: String(error.stack ?? error) }];
    }
  });
  console.log(`\n${JSON.stringify(Object.fromEntries(await Promise.all(outcomes)))}`);
}
