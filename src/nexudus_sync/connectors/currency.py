"""How many decimals the money of a currency has (ISO 4217; two unless listed)."""

_LISTED = {
    0: "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF",
    3: "BHD IQD JOD KWD LYD OMR TND",
    4: "CLF UYW",
}
_DIGITS = {code: count for count, codes in _LISTED.items() for code in codes.split()}


def digits(code: str | None) -> int:
    """The number of decimals of a currency code in any case; 2 for a blank or unknown one."""
    return _DIGITS.get((code or "").strip().upper(), 2)
