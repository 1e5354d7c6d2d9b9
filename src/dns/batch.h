/*
 * DNS UPDATE for the keeper: all names of one server, zone and key that are ready, in one message. If
 * the server refuses that for a reason that may be one name's alone, they are sent one by one, so that
 * one wrong name does not park the others.
 */
#pragma once

struct dns_keeper;
struct batch;

/* Starts with name `first`, and takes the others of its account that are ready too. */
void keeper_batch_start(struct dns_keeper *k, unsigned long first);

void keeper_batches_cancel(struct dns_keeper *k);
