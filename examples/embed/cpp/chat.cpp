// SPDX-License-Identifier: MIT
// The shortest program in C++: ask, print the answer. Owners free themselves, failures are exceptions.
#include <iostream>
#include <membrane/membrane.hpp>

int main() try {
    membrane::Handle m;
    std::cout << m.text(R"({"model": "builtin/extractive", "messages": [{"role": "user", "content": [
        {"type": "document", "name": "tides.txt", "text": "The moon pulls the sea. That makes the tides."},
        {"type": "text", "text": "What makes the tides?"}]}]})")
              << '\n';
} catch (const membrane::Error &error) {
    std::cerr << error.kind() << ": " << error.text() << '\n';
    return 1;
}
