// SPDX-License-Identifier: MIT
// Every maximum in one list, each with its reason. Sizes in bytes, times in milliseconds.
#ifndef MB_BASE_LIMITS_H
#define MB_BASE_LIMITS_H

#include <stddef.h>

#define MB_KIB ((size_t)1024)
#define MB_MIB (1024 * MB_KIB)

#define MB_LIMIT_REQUEST      (32 * MB_MIB)  // a request with a few images; above every provider's own limit
#define MB_LIMIT_RESPONSE     (64 * MB_MIB)  // an embedding batch of 2,048 x 3,072 numbers in JSON
#define MB_LIMIT_STREAM_EVENT (16 * MB_MIB)  // an image in one stream event
#define MB_LIMIT_JSON_DEPTH   128            // JSON Schemas of tools nest; attacks nest deeper
#define MB_LIMIT_HEADER_BLOCK (256 * MB_KIB) // all header lines of one answer
#define MB_LIMIT_ERROR_BODY   (1 * MB_MIB)   // what is read of an error's body
#define MB_LIMIT_ERROR_TEXT   (16 * MB_KIB)  // what an error object keeps of somebody's words
#define MB_LIMIT_YAML_NODES   200000         // aliases multiply; a configuration has hundreds
#define MB_LIMIT_CONFIG       (4 * MB_MIB)   // a configuration file
#define MB_LIMIT_FILE         (16 * MB_MIB)  // an attached file
#define MB_LIMIT_NAME         256            // names of providers, models and sessions
#define MB_LIMIT_TOOL_CALLS   256            // calls in one answer
#define MB_LIMIT_CALL_ID      (64 * MB_KIB)  // of a tool call: gateways keep a whole signature in it
#define MB_LIMIT_QUEUE_EVENTS 256            // events that wait for the caller before the transfer is paused
#define MB_LIMIT_QUEUE_BYTES  (1 * MB_MIB)   // their bytes
#define MB_LIMIT_CALLS        100000         // calls in flight on one handle
#define MB_LIMIT_ATTEMPTS     64             // attempts of one call
#define MB_LIMIT_LOG_RECORDS  4096           // log records that wait for membrane_log_read
#define MB_LIMIT_SERIES       256            // (operation, provider, model) with figures of their own

#define MB_TIME_CONNECT           10000
#define MB_TIME_FIRST_TOKEN_LOCAL 120000 // a local engine may have to load the model first
#define MB_TIME_FIRST_TOKEN       60000
#define MB_TIME_IDLE              60000
#define MB_TIME_TOTAL             600000
#define MB_TIME_RETRY_AFTER_MAX   120000     // a server that asks for more is passed over
#define MB_TIME_MAX               2147483647 // 24 days: what libcurl counts, and what no clock passes when it is added
#define MB_RETRIES                2          // further attempts on one target

#endif
