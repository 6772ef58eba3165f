/**
 * On the server's start page: a tablet that was set up with storage goes to the app; all others stay here, where the
 * pages need neither script nor storage. Where storage ought to work and does not, the staff are told.
 */

import { openStorage } from "./storage.js";

const asked = new URLSearchParams(location.search);

if (asked.has("online")) {
  if (asked.has("trouble")) tellStaff();
} else {
  try {
    const storage = await openStorage();
    if (await storage.device()) location.replace("/kiosk");
  } catch {
    tellStaff();
  }
}

function tellStaff() {
  const banner = document.getElementById("storage-trouble");
  if (banner) document.querySelector("main").prepend(banner.content.cloneNode(true));
}
