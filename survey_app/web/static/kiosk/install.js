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
    this.#agree();
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
    this.#tell({ ready: this.version });
  }

  /** A worker that took over while this page was being loaded has another page to give. */
  #agree() {
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = ({ data }) => data !== this.version && this.between() && this.leave();
    this.#tell("which", [port2]);
  }

  /** Nothing to a worker that is to be replaced: it goes when it is idle. */
  #tell(message, ports = []) {
    if (!this.registration?.waiting) this.container?.controller?.postMessage(message, ports);
  }

  #watch(worker) {
    worker?.addEventListener("statechange", () => worker.state === "installed" && this.takeOver());
    if (worker?.state === "installed") this.takeOver();
  }
}
