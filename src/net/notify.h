/*
 * What the service manager is told (sd_notify(3), Type=notify): datagrams to $NOTIFY_SOCKET.
 * Everything here does nothing when nobody wants to know.
 */
#pragma once

#include "base/cleanup.h"
#include "base/ustime.h"

/* "READY=1", "STOPPING=1", "STATUS=…", "WATCHDOG=1"; several with a newline between them. */
void notify(const char *fmt, ...) PRINTF(1, 2);

/* "RELOADING=1" with the time that must come with it; "READY=1" ends it. */
void notify_reloading(void);

/* How often "WATCHDOG=1" is to be sent: twice in the time after which the silent are killed. 0:
 * nobody waits for it. */
usec_t notify_watchdog(void);

/*
 * Give a descriptor into the manager's keeping, under a name of ours (no ":"): it stays open while
 * this program restarts or has crashed, and comes back to the next one (net/inherited.h). It keeps
 * a duplicate; fd stays ours.
 */
void notify_store(const char *name, int fd);
void notify_forget(const char *name); /* all of that name */
