/* Tell systemd how far we are (sd_notify(3)), without its library: one datagram to NOTIFY_SOCKET.
 */
#pragma once

/* state: "READY=1", "STOPPING=1". Nothing happens when nobody asked. */
void notify_systemd(const char *state);
