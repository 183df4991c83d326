// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.28;

import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";

/// OpenZeppelin's token and nothing else: what measurements transfer.
contract Token is ERC20 {
    constructor() ERC20("Token", "TOKEN") {}
}
