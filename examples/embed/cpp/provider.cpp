// SPDX-License-Identifier: MIT
// A provider of the program's own in C++: a lambda without captures is the function that answers.
#include <iostream>
#include <membrane/membrane.hpp>

int main() try {
    std::string greeting = "Hello from C++.";
    membrane_provider_table table{};
    table.struct_size = sizeof table;
    table.version = MEMBRANE_PROVIDER_VERSION;
    table.local = 1;
    // No exception may leave it: the caller is C, on the library's own thread.
    table.start = [](void *user, const char *, size_t, membrane_push *push, void **ret_state) {
        const std::string &text = *static_cast<const std::string *>(user);
        *ret_state = nullptr;
        membrane_push_text(push, text.data(), text.size());
        return membrane_push_done(push, "stop");
    };
    membrane::Handle m; // after greeting, so that it is closed before
    m.add_provider("mine", table, &greeting);
    std::cout << m.text(membrane::prompt("Anyone there?", "mine/greeter")) << '\n';
} catch (const membrane::Error &error) {
    std::cerr << error.what() << '\n';
    return 1;
}
