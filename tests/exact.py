"""Functions of mpmath numbers with their gradients and Hessians, by the chain rule: the truth that kernels are held against."""

from functools import cache

from mpmath import MPContext

mp = MPContext()
mp.dps = 420  # exp(-800) is seen beside one
erfc, power_of_e = cache(mp.erfc), cache(mp.exp)


class Jet:
    """A number with its derivatives in m variables.

    Attributes
    ----------
    value : mpf
    first : list of mpf, (m,)
    second : list of lists of mpf, (m, m)
    """

    def __init__(self, value, first, second):
        self.value, self.first, self.second = value, first, second

    def through(self, value, slope, bend):
        """A function of this number that has these derivatives here."""
        first = [slope * g for g in self.first]
        second = [
            [bend * a * b + slope * h for b, h in zip(self.first, row, strict=True)]
            for a, row in zip(self.first, self.second, strict=True)
        ]
        return Jet(value, first, second)

    def __add__(self, other):
        if not isinstance(other, Jet):
            return Jet(self.value + other, self.first, self.second)
        first = [a + b for a, b in zip(self.first, other.first, strict=True)]
        rows = zip(self.second, other.second, strict=True)
        return Jet(self.value + other.value, first, [[a + b for a, b in zip(*pair, strict=True)] for pair in rows])

    def __mul__(self, other):
        if not isinstance(other, Jet):
            return self.through(self.value * other, mp.mpf(other), mp.zero)
        m, u, v = range(len(self.first)), self, other
        first = [u.value * v.first[j] + v.value * u.first[j] for j in m]
        second = [
            [u.value * v.second[j][k] + v.value * u.second[j][k] + u.first[j] * v.first[k] + u.first[k] * v.first[j]
             for k in m] for j in m
        ]  # fmt: skip
        return Jet(u.value * v.value, first, second)

    def __pow__(self, power):
        x = self.value
        return self.through(x**power, power * x ** (power - 1), power * (power - 1) * x ** (power - 2))

    def __neg__(self):
        return self * -1

    def __sub__(self, other):
        return self + -other

    def __rsub__(self, other):
        return -self + other

    def __truediv__(self, other):
        return self * other**-1 if isinstance(other, Jet) else self * (1 / mp.mpf(other))

    def __rtruediv__(self, other):
        return self**-1 * other

    __radd__, __rmul__ = __add__, __mul__


def variables(*values):
    """Jets of independent variables."""
    m = len(values)
    unit = [[mp.mpf(int(j == k)) for k in range(m)] for j in range(m)]
    return tuple(Jet(mp.mpf(value), unit[j], [[mp.zero] * m for _ in range(m)]) for j, value in enumerate(values))


def exp(x):
    value = power_of_e(x.value)
    return x.through(value, value, value)


def expm1(x):
    value = power_of_e(x.value)
    return x.through(mp.expm1(x.value), value, value)


def log(x):
    return x.through(mp.log(x.value), 1 / x.value, -1 / x.value**2)


def log1p(x):
    return x.through(mp.log1p(x.value), 1 / (1 + x.value), -1 / (1 + x.value) ** 2)


def atan(x):
    slope = 1 / (1 + x.value**2)
    return x.through(mp.atan(x.value), slope, -2 * x.value * slope**2)


def log_ncdf(x):
    """Logarithm of the normal distribution function."""
    below = erfc(-x.value / mp.sqrt(2)) / 2
    value = mp.log(below) if x.value < 0 else mp.log1p(-erfc(x.value / mp.sqrt(2)) / 2)
    ratio = mp.npdf(x.value) / below
    return x.through(value, ratio, -ratio * (x.value + ratio))
