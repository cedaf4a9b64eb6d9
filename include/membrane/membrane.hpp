// SPDX-License-Identifier: MIT
/**
 * @file membrane.hpp
 * @brief The C headers for C++17: owners that free, errors that are thrown, events in a range-for. Header only.
 *
 * @code
 * membrane::Options options;
 * options.user_config = true;
 * membrane::Handle m(options);
 * membrane::Call call = m.start(membrane::prompt("Why is the sky blue?"));
 * for (const membrane::Event &event : call)
 *     if (event.type() == MEMBRANE_EVENT_TEXT) std::cout << event.text() << std::flush;
 * @endcode
 *
 * Every class owns what it holds, can be moved (noexcept) and not copied, unless it says View: a View is lent and lives
 * as long as the call says. Threads and lifetimes are those of the C functions, which get() gives access to.
 */
#ifndef MEMBRANE_MEMBRANE_HPP
#define MEMBRANE_MEMBRANE_HPP

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <iterator>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "membrane/membrane.h"

namespace membrane {

namespace detail {
template <typename T, void (*Free)(T *)> struct Deleter {
    void operator()(T *object) const noexcept { Free(object); }
};
inline std::string string_or_empty(const char *text) { return text ? std::string(text) : std::string(); }
inline const char *pointer_or_null(const std::string &text) noexcept { return text.empty() ? nullptr : text.c_str(); }
} // namespace detail

/** What went wrong, thrown. A copy shares the original's texts, so that copying cannot fail. */
class Error : public std::exception {
  public:
    /** Takes what an error says; the error itself stays the caller's. */
    explicit Error(int code, const membrane_error *error = nullptr) : facts_(std::make_shared<Facts>()) {
        Facts &facts = *facts_;
        facts.code = error ? membrane_error_code(error) : code;
        facts.kind = membrane_status_kind(facts.code);
        facts.text = error ? detail::string_or_empty(membrane_error_message(error)) : membrane_status_text(facts.code);
        facts.hint = detail::string_or_empty(membrane_error_hint(error));
        facts.provider = detail::string_or_empty(membrane_error_provider(error));
        facts.phase = detail::string_or_empty(membrane_error_phase(error));
        facts.http_status = membrane_error_http_status(error);
        facts.retryable = error ? membrane_error_retryable(error) != 0 : membrane_status_retryable(code) != 0;
        facts.retry_after = std::chrono::milliseconds(membrane_error_retry_after_ms(error));
        facts.what = facts.kind + ": " + facts.text;
    }

    /** One of MEMBRANE_E…. */
    int code() const noexcept { return facts_->code; }
    /** "rate_limit", "timeout", … */
    const std::string &kind() const noexcept { return facts_->kind; }
    /** What happened. */
    const std::string &text() const noexcept { return facts_->text; }
    /** What to do about it, or "". */
    const std::string &hint() const noexcept { return facts_->hint; }
    /** The provider's configured name, or "". */
    const std::string &provider() const noexcept { return facts_->provider; }
    /** For timeouts: "connect", "first_token", "idle", "total"; else "". */
    const std::string &phase() const noexcept { return facts_->phase; }
    int http_status() const noexcept { return facts_->http_status; }
    bool retryable() const noexcept { return facts_->retryable; }
    /** Negative where the provider did not say. */
    std::chrono::milliseconds retry_after() const noexcept { return facts_->retry_after; }
    /** "kind: text" */
    const char *what() const noexcept override { return facts_->what.c_str(); }

  private:
    struct Facts {
        std::string kind, text, hint, provider, phase, what;
        int code = 0, http_status = 0;
        bool retryable = false;
        std::chrono::milliseconds retry_after{-1};
    };
    std::shared_ptr<Facts> facts_;
};

namespace detail {
using ErrorOwner = std::unique_ptr<membrane_error, Deleter<membrane_error, membrane_error_free>>;
/** Throws what a function's negative answer and its error say. */
inline void check(int status, membrane_error *error) {
    ErrorOwner owner(error);
    if (status != 0) throw Error(status, error);
}
} // namespace detail

/** A text as a JSON string, with its quotes: for requests put together by hand. */
inline std::string quote(std::string_view text) {
    static constexpr char digits[] = "0123456789abcdef";
    std::string out = "\"";
    for (char c : text) {
        if (c == '"' || c == '\\') {
            out += '\\';
            out += c;
        } else if (static_cast<unsigned char>(c) < 0x20) {
            out += "\\u00";
            out += digits[static_cast<unsigned char>(c) >> 4];
            out += digits[static_cast<unsigned char>(c) & 15];
        } else {
            out += c;
        }
    }
    return out + '"';
}

/** The request of one user message; model "" leaves the choice to the router. */
inline std::string prompt(std::string_view text, std::string_view model = {}) {
    std::string out = "{\"messages\":[{\"role\":\"user\",\"content\":" + quote(text) + "}]";
    if (!model.empty()) out += ",\"model\":" + quote(model);
    return out + "}";
}

/** A result that something else owns. */
class ResultView {
  public:
    explicit ResultView(const membrane_result *result = nullptr) noexcept : result_(result) {}
    explicit operator bool() const noexcept { return result_ != nullptr; }

    std::string_view json() const {
        std::size_t len = 0;
        const char *text = membrane_result_json(result_, &len);
        return text ? std::string_view(text, len) : std::string_view();
    }
    std::string_view text() const {
        std::size_t len = 0;
        const char *text = membrane_result_text(result_, &len);
        return text ? std::string_view(text, len) : std::string_view();
    }
    /** "stop", "length", …; "" for other results. */
    std::string finish() const { return detail::string_or_empty(membrane_result_finish(result_)); }
    /** By path: "usage.output", "items.0.bytes". */
    std::int64_t number(const char *path, std::int64_t fallback = 0) const {
        return membrane_result_int(result_, path, fallback);
    }
    /** By path: "target.provider"; nothing if it is absent or no text. */
    std::optional<std::string> string(const char *path) const {
        const char *text = membrane_result_str(result_, path);
        return text ? std::optional<std::string>(text) : std::nullopt;
    }
    std::size_t embedding_count() const { return membrane_result_embedding_count(result_); }
    std::vector<float> embedding(std::size_t index) const {
        std::size_t dims = 0;
        const float *vector = membrane_result_embedding(result_, index, &dims);
        return vector ? std::vector<float>(vector, vector + dims) : std::vector<float>();
    }
    const membrane_result *get() const noexcept { return result_; }

  private:
    const membrane_result *result_;
};

/** A result of one's own. */
class Result : public ResultView {
  public:
    explicit Result(membrane_result *result) noexcept : ResultView(result), owner_(result) {}
    Result(Result &&) noexcept = default;
    Result &operator=(Result &&) noexcept = default;

  private:
    std::unique_ptr<membrane_result, detail::Deleter<membrane_result, membrane_result_free>> owner_;
};

/** One event, lent by its call until the next one is taken. */
class Event {
  public:
    explicit Event(const membrane_event *event = nullptr) noexcept : event_(event) {}
    enum membrane_event_type type() const {
        return static_cast<enum membrane_event_type>(::membrane_event_type(event_));
    }
    const char *type_name() const { return membrane_event_type_name(event_); }
    std::string_view text() const {
        std::size_t len = 0;
        const char *text = membrane_event_text(event_, &len);
        return text ? std::string_view(text, len) : std::string_view();
    }
    std::string tool_id() const { return detail::string_or_empty(membrane_event_tool_id(event_)); }
    std::string tool_name() const { return detail::string_or_empty(membrane_event_tool_name(event_)); }
    std::string_view json() const {
        std::size_t len = 0;
        const char *text = membrane_event_json(event_, &len);
        return text ? std::string_view(text, len) : std::string_view();
    }
    /** The error of an ERROR event. */
    Error error() const {
        const membrane_error *error = membrane_event_error(event_);
        return Error(error ? membrane_error_code(error) : MEMBRANE_EINTERNAL, error);
    }
    const membrane_event *get() const noexcept { return event_; }

  private:
    const membrane_event *event_;
};

/** How to run a call; what is not set is as configured. */
struct CallOptions {
    std::uint32_t flags = 0; /**< membrane_call_flags */
    std::chrono::milliseconds deadline{0}, connect_timeout{0}, first_token_timeout{0}, idle_timeout{0};
    std::optional<int> retries;
    std::string session, via;
    std::string policy;   /**< how targets share calls */
    std::string provider; /**< only targets of this one */
    std::int64_t max_cost_usd_micros = 0;
    std::optional<std::chrono::milliseconds> max_wait; /**< for limits of our own */
    std::optional<std::chrono::milliseconds> hedge;    /**< milliseconds(MEMBRANE_HEDGE_P95) for the p95 */
    int max_attempts = 0;
};

namespace detail {
/** The C options; their texts are those of the argument. */
inline membrane_call_options to_c(const CallOptions &from) {
    membrane_call_options to;
    membrane_call_options_init(&to, sizeof to);
    to.flags = from.flags;
    to.deadline_ms = from.deadline.count();
    to.connect_timeout_ms = from.connect_timeout.count();
    to.first_token_timeout_ms = from.first_token_timeout.count();
    to.idle_timeout_ms = from.idle_timeout.count();
    if (from.retries) to.retries = *from.retries;
    to.session = pointer_or_null(from.session);
    to.via = pointer_or_null(from.via);
    to.policy = pointer_or_null(from.policy);
    to.provider = pointer_or_null(from.provider);
    to.max_cost_usd_micros = from.max_cost_usd_micros;
    if (from.max_wait) to.max_wait_ms = from.max_wait->count();
    if (from.hedge) to.hedge_ms = from.hedge->count();
    to.max_attempts = from.max_attempts;
    return to;
}
} // namespace detail

/** One call. Destroying it cancels what still runs. */
class Call {
  public:
    explicit Call(membrane_call *call) noexcept : call_(call) {}

    /**
     * The next event, DONE included; nothing when the time passed or the call is over (see is_done). An ERROR event is
     * thrown as an Error; what had come until then is in result().
     */
    std::optional<Event> next(std::chrono::milliseconds timeout = std::chrono::milliseconds(MEMBRANE_FOREVER)) {
        const membrane_event *event = nullptr;
        membrane_error *error = nullptr;
        int status = membrane_call_next(call_.get(), timeout.count(), &event, &error);
        if (status == MEMBRANE_EAGAIN || status == MEMBRANE_EDONE) {
            membrane_error_free(error);
            is_done_ = is_done_ || status == MEMBRANE_EDONE;
            return std::nullopt;
        }
        detail::check(status, error);
        int type = ::membrane_event_type(event);
        is_done_ = type == MEMBRANE_EVENT_DONE || type == MEMBRANE_EVENT_ERROR;
        if (type == MEMBRANE_EVENT_ERROR) throw Event(event).error();
        return Event(event);
    }
    /** The terminal event was taken. */
    bool is_done() const noexcept { return is_done_; }

    /** Takes what is left and lends the result. Throws if the call failed. */
    ResultView wait() {
        while (next()) {}
        return result();
    }
    /** The whole answer. Throws if the call failed. */
    std::string text() { return std::string(wait().text()); }

    void cancel() noexcept { membrane_call_cancel(call_.get()); }
    /** Lent; false before the terminal event. After a failure it holds what had come. */
    ResultView result() { return ResultView(membrane_call_result(call_.get())); }
    std::string request_id() const { return detail::string_or_empty(membrane_call_request_id(call_.get())); }
    membrane_call *get() const noexcept { return call_.get(); }

    /** Goes through the events to the end, waiting for each. */
    class iterator {
      public:
        using iterator_category = std::input_iterator_tag;
        using value_type = Event;
        using difference_type = std::ptrdiff_t;
        using pointer = const Event *;
        using reference = const Event &;

        iterator() noexcept = default;
        explicit iterator(Call *call) : call_(call) { ++*this; }
        reference operator*() const noexcept { return *event_; }
        pointer operator->() const noexcept { return &*event_; }
        iterator &operator++() {
            event_ = call_->next();
            if (!event_) call_ = nullptr;
            return *this;
        }
        void operator++(int) { ++*this; }
        bool operator==(const iterator &other) const noexcept { return call_ == other.call_; }
        bool operator!=(const iterator &other) const noexcept { return call_ != other.call_; }

      private:
        Call *call_ = nullptr;
        std::optional<Event> event_;
    };
    iterator begin() { return iterator(this); }
    iterator end() noexcept { return iterator(); }

  private:
    std::unique_ptr<membrane_call, detail::Deleter<membrane_call, membrane_call_free>> call_;
    bool is_done_ = false;
};

/** How to open. */
struct Options {
    bool user_config = false; /**< MEMBRANE_USER_CONFIG */
    bool discovery = true;    /**< false: MEMBRANE_NO_DISCOVERY */
    std::string config_path, config_text, project_dir, log_path;
};

/** The library, opened. Destroying it cancels what runs and waits for at most a second. */
class Handle {
  public:
    explicit Handle(const Options &from = {}) {
        membrane_options options;
        membrane_options_init(&options, sizeof options);
        options.flags = (from.user_config ? std::uint32_t{MEMBRANE_USER_CONFIG} : 0u) |
                        (from.discovery ? 0u : std::uint32_t{MEMBRANE_NO_DISCOVERY});
        options.config_path = detail::pointer_or_null(from.config_path);
        options.config_text = detail::pointer_or_null(from.config_text);
        options.config_len = from.config_text.size();
        options.project_dir = detail::pointer_or_null(from.project_dir);
        options.log_path = detail::pointer_or_null(from.log_path);
        membrane_t *handle = nullptr;
        membrane_error *error = nullptr;
        detail::check(membrane_open(&options, &handle, &error), error);
        handle_.reset(handle);
    }

    /** Starts a call of a request (JSON; prompt() makes a simple one). */
    Call start(std::string_view request, const CallOptions &options = {}) {
        membrane_call_options c_options = detail::to_c(options);
        membrane_call *call = nullptr;
        membrane_error *error = nullptr;
        detail::check(membrane_call_start(get(), request.data(), request.size(), &c_options, &call, &error), error);
        return Call(call);
    }
    /** Asks and waits for the whole answer. */
    std::string text(std::string_view request, const CallOptions &options = {}) {
        return start(request, options).text();
    }
    /** What a call would do, without sending anything. */
    Result plan(std::string_view request, const CallOptions &options = {}) {
        membrane_call_options c_options = detail::to_c(options);
        return ask([&](membrane_result **result, membrane_error **error) {
            return membrane_call_plan(get(), request.data(), request.size(), &c_options, result, error);
        });
    }
    /** provider "" means all. */
    Result models(const std::string &provider = {}, std::chrono::milliseconds timeout = {}) {
        return ask([&](membrane_result **result, membrane_error **error) {
            return membrane_model_list(get(), detail::pointer_or_null(provider), timeout.count(), result, error);
        });
    }
    Result providers(bool probe, std::chrono::milliseconds timeout = {}) {
        return ask([&](membrane_result **result, membrane_error **error) {
            return membrane_provider_list(get(), probe, timeout.count(), result, error);
        });
    }
    /** Every budget that holds, and how it stands with it. */
    Result budgets() {
        return ask([&](membrane_result **result, membrane_error **error) {
            return membrane_budget_list(get(), result, error);
        });
    }
    /** match "" means an amount for each key, model or session. */
    void set_budget(const std::string &scope, const std::string &match, const std::string &period,
                    std::int64_t usd_micros) {
        membrane_error *error = nullptr;
        detail::check(membrane_budget_set(get(), scope.c_str(), detail::pointer_or_null(match), period.c_str(),
                                          usd_micros, &error),
                      error);
    }
    void remove_budget(const std::string &scope, const std::string &match, const std::string &period) {
        membrane_error *error = nullptr;
        detail::check(
            membrane_budget_remove(get(), scope.c_str(), detail::pointer_or_null(match), period.c_str(), &error),
            error);
    }
    /** What was counted, as Prometheus text. */
    std::string metrics() {
        char *text = nullptr;
        membrane_error *error = nullptr;
        detail::check(membrane_metrics(get(), &text, &error), error);
        std::unique_ptr<char, detail::Deleter<char, membrane_string_free>> owned(text);
        return owned.get();
    }
    /** Adds a provider of the program's own; user must outlive the handle. */
    void add_provider(const std::string &name, const membrane_provider_table &table, void *user = nullptr) {
        membrane_error *error = nullptr;
        detail::check(membrane_provider_add(get(), name.c_str(), &table, user, &error), error);
    }

    /** For poll and event loops; belongs to the library. */
    int fd() const { return membrane_fd(get()); }
    membrane_t *get() const noexcept { return handle_.get(); }

  private:
    struct Close {
        void operator()(membrane_t *handle) const noexcept { membrane_close(handle, 1000); }
    };
    template <typename Function> static Result ask(Function function) {
        membrane_result *result = nullptr;
        membrane_error *error = nullptr;
        detail::check(function(&result, &error), error);
        return Result(result);
    }
    std::unique_ptr<membrane_t, Close> handle_;
};

} // namespace membrane

#endif
