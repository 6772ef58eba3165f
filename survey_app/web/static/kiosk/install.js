/**
 * The app on the tablet: its service worker, and updates only between two citizens.
 *
 * `install`, `App`. A new version is fetched in the background and waits. It takes over when `between` says that nobody
 * is answering; one that does not come whole never takes over at all.
 */

const LOOK_MS = 60 * 60_000;

export class App {
  /** @param {{version: string, between: () => boolean, container?: ServiceWorkerContainer, leave?: () => void}} parts */
  constructor({ version, between, container = navigator.serviceWorker, leave = () => location.replace("/") }) {
    Object.assign(this, { version, between, container, leave });
    this.registration = null;
  }

  /** Register, look for updates now and every hour. Without service workers the kiosk works, but not from a cold start. */
  async install() {
    if (!this.container) return;
    let controlled = this.container.controller !== null;
    this.container.addEventListener("controllerchange", () => {
      if (!controlled) this.ready(); // the first worker of this tablet: it serves what the page has
      else if (this.between()) this.leave();
      controlled = true;
    });
    this.registration = await this.container.register("/sw.js", { scope: "/", updateViaCache: "none" });
    this.registration.addEventListener("updatefound", () => this.#watch(this.registration.installing));
    this.#watch(this.registration.waiting);
    this.look();
    setInterval(() => this.look(), LOOK_MS);
  }

  /** Ask the server for a newer version, and let one that waits take over if nobody is answering. */
  look() {
    this.registration?.update().catch(() => undefined); // no network: later
    this.takeOver();
  }

  /** To be called between two citizens. */
  takeOver() {
    if (this.registration?.waiting && this.container.controller && this.between()) {
      this.registration.waiting.postMessage("take-over");
    }
  }

  /** The page works: its version is good, and the one before it is not needed any more. */
  ready() {
    this.container?.controller?.postMessage({ ready: this.version });
  }

  #watch(worker) {
    worker?.addEventListener("statechange", () => worker.state === "installed" && this.takeOver());
    if (worker?.state === "installed") this.takeOver();
  }
}
