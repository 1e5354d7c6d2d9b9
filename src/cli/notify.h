/* Tell systemd where a service stands (sd_notify(3), Type=notify): one datagram to $NOTIFY_SOCKET.
 */
#pragma once

/* "READY=1", "STOPPING=1", "STATUS=…"; does nothing when nobody wants to know. */
void notify(const char *state);
