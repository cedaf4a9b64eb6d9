// SPDX-License-Identifier: MIT
// The shortest program in C++: ask, print the answer. Owners free themselves, failures are exceptions.
#include <iostream>
#include <membrane/membrane.hpp>

int main() try {
    membrane::Handle m;
    std::cout << m.text(membrane::prompt("Tides come from the pull of the moon. Why are there tides?",
                                         "builtin/extractive"))
              << '\n';
} catch (const membrane::Error &error) {
    std::cerr << error.kind() << ": " << error.text() << '\n';
    return 1;
}
