/**
 * What the tablet asks: fetched while there is network, kept for when there is none.
 *
 * `bundleOf`: the bundle to work with now. It is changed only between two citizens: a newer one is kept at once and told
 * by the sender's event `bundle`, and the page takes it when it is loaded anew.
 */

const TIMEOUT_MS = 20_000;
const STALE_MS = 30 * 60_000;

export async function bundleOf(storage, device, sender) {
  const kept = await storage.kept("bundle");
  sender.addEventListener("standing", async () => {
    const { bundle, standing } = { bundle: await storage.kept("bundle"), standing: await storage.kept("standing") };
    if (!bundle || differs(bundle, standing) || Math.abs(storage.clock.wall() - bundle.fetched) > STALE_MS) {
      const fresh = await fetchBundle(storage, device);
      if (fresh && (!bundle || asWritten(fresh) !== asWritten(bundle))) sender.dispatchEvent(new Event("bundle"));
    }
  });
  return kept ?? fetchBundle(storage, device);
}

/** Whether the server asks for something else than the bundle holds. */
function differs(bundle, standing) {
  const named = ({ wave, questionnaire, version, fields }) => JSON.stringify([wave, questionnaire, version, fields]);
  return named(bundle) !== named(standing);
}

function asWritten({ fetched, server_time, ...rest }) {
  return JSON.stringify(rest);
}

/** Ask for it and keep it; null when the server does not answer. */
export async function fetchBundle(storage, device) {
  try {
    const answer = await fetch("/api/v1/kiosk", {
      headers: { Authorization: `Bearer ${device.token}` },
      cache: "no-store",
      credentials: "omit",
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
    if (!answer.ok) return null;
    const bundle = { ...(await answer.json()), fetched: storage.clock.wall() };
    await storage.keep("bundle", bundle);
    return bundle;
  } catch {
    return null;
  }
}
