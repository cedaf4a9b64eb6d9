// SPDX-License-Identifier: MIT
// The answer as it comes, in a range-for; a call that fails throws out of it, and keeps what had come.
#include <iostream>
#include <membrane/membrane.hpp>

int main() try {
    using namespace std::chrono_literals;
    membrane::Handle m;
    membrane::CallOptions options;
    options.deadline = 30s;
    membrane::Call call = m.start(R"({"model": "builtin/extractive", "messages": [{"role": "user", "content": [
        {"type": "document", "name": "bread.txt", "text": "Yeast makes gas. The gas lifts the bread."},
        {"type": "text", "text": "What lifts the bread?"}]}]})",
                                  options);
    try {
        for (const membrane::Event &event : call)
            if (event.type() == MEMBRANE_EVENT_TEXT) std::cout << event.text() << std::flush;
    } catch (const membrane::Error &error) {
        std::cerr << "cut after " << call.result().text().size() << " bytes: " << error.what() << '\n';
        return 1;
    }
    std::cout << "\n(" << call.result().string("target.provider").value_or("?") << ", "
              << call.result().number("timing.total_ms") << " ms)\n";
} catch (const membrane::Error &error) {
    std::cerr << error.what() << '\n';
    return 1;
}
